/**
 * The program for `mcp-lifeline serve --stdio`, which hosts start: all of them, and all of their windows, share one gateway.
 */
import { Effect } from "effect"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { UsageError } from "../Errors.js"
import * as Hosted from "../hosted.js"
import * as Wrap from "../wrap/wrap.js"
import type { Options } from "./Background.js"
import * as connector from "./connector.js"

/** How long the gateway goes on when the last host has left, in seconds. */
const usualLinger = "60"

const read = (args: ReadonlyArray<string>): Options => {
  const wrong = (message: string): UsageError =>
    new UsageError({ message: `${message}; see mcp-lifeline serve --help` })
  const given = (() => {
    try {
      return parseArgs({
        args: [...args],
        options: { stdio: { type: "boolean" }, config: { type: "string" }, linger: { type: "string" } }
      }).values
    } catch (error) {
      throw wrong((error as Error).message.split(". ")[0] ?? "the command line is not understood")
    }
  })()
  const { config, linger = usualLinger } = given
  if (config === undefined || config === "") {
    throw wrong("serve --stdio needs --config FILE: hosts share the gateway of a file")
  }
  if (!/^\d{1,6}$/.test(linger)) throw wrong("--linger must be a whole number of seconds")
  return { file: resolve(config), linger: Number(linger) }
}

Hosted.run(
  Effect.gen(function*() {
    const options = yield* Effect.try({
      try: () => read(process.argv.slice(3)),
      catch: (error) => error as UsageError
    })
    yield* Wrap.serve({
      name: "lifeline",
      server: { gateway: options.file },
      connector: yield* connector.make(options)
    })
  })
)
