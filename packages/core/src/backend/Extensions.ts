/** The extensions of one backend, as one. The first of the options is the outermost. */
import { Array as Arr, Context, Effect, type Scope } from "effect"
import type { InvalidOptions } from "../Errors.js"
import type { Any, Host, Installed } from "../options/Extension.js"
import * as Problem from "../options/Problem.js"
import type { Connector } from "../port/Connector.js"

export interface Extensions {
  readonly services: Context.Context<never>
  readonly around: (connector: Connector) => Connector
  readonly status: () => object
  readonly withheld: () => ReadonlyArray<string>
}

/** Thousands of backends share it. */
export const none: Extensions = {
  services: Context.empty(),
  around: (connector) => connector,
  status: () => ({}),
  withheld: () => []
}

/** Two of one tag: the second would hide the service of the first. */
export const problems = (extensions: ReadonlyArray<Any> = []): ReadonlyArray<Problem.Problem> =>
  extensions.flatMap(({ tag: { key } }, i) =>
    extensions.findIndex(({ tag }) => tag.key === key) === i
      ? []
      : [{ path: ["extensions", i], message: `is a second ${key}; a backend has one of each` }]
  )

export const install = (
  extensions: ReadonlyArray<Any> | undefined,
  host: () => Host
): Effect.Effect<Extensions, InvalidOptions, Scope.Scope> => {
  if (extensions === undefined || !Arr.isNonEmptyReadonlyArray(extensions)) return Effect.succeed(none)
  return Effect.map(
    Effect.forEach(extensions, (extension) =>
      Effect.map(
        extension.install(host()),
        (installed: Installed<unknown>) => ({ ...installed, tag: extension.tag })
      )),
    (all): Extensions => ({
      services: all.reduce(
        (services, { service, tag }) => Context.add(services, tag, service),
        Context.empty()
      ) as Context.Context<never>,
      around: (connector) => all.reduceRight((inner, { around }) => around?.(inner) ?? inner, connector),
      status: () => Object.assign({}, ...all.map(({ status }) => status?.())),
      withheld: () => all.flatMap(({ withheld }) => withheld?.() ?? [])
    })
  )
}
