import * as Adopt from "../../src/adopt/Arguments.js"
import { read } from "../../src/commandLine/read.js"
import * as Wrap from "../../src/wrap/Arguments.js"

const unless = <A>(request: { readonly options: A } | undefined): A => {
  if (request === undefined) throw new Error("help")
  return request.options
}

export const wrapOf = (...args: ReadonlyArray<string>): Wrap.Wrap => unless(read(Wrap.command, args, {}))

export const adoptOf = (...args: ReadonlyArray<string>): Adopt.Adopt => unless(read(Adopt.command, args, {}))
