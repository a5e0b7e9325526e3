/** The first of the options is the outermost. */
import { Context, Effect, Predicate, type Scope } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import type { InvalidOptions } from "../Errors.js"
import type { RuntimeLayer } from "../options/CallOptions.js"
import * as Check from "../options/Check.js"
import type { Any, Host, Installed } from "../options/Extension.js"
import type { Connector } from "../port/Connector.js"
import type { Offered } from "../state/Offered.js"

export interface Extensions {
  readonly services: Context.Context<never>
  readonly around: (connector: Connector) => Connector
  readonly layers: ReadonlyArray<RuntimeLayer>
  readonly status: (catalog: Snapshot | undefined) => object
  readonly withheld: () => ReadonlyArray<string>
}

type Each = Installed<unknown> & Pick<Any, "tag">

const joined = (all: ReadonlyArray<Each>): Extensions => ({
  services: all.reduce<Context.Context<never>>(
    (services, { service, tag }) => Context.add(services, tag, service),
    Context.empty()
  ),
  around: (connector) => all.reduceRight((inner, { around }) => around?.(inner) ?? inner, connector),
  layers: all.flatMap(({ runtime }) => runtime ?? []),
  status: (catalog) => Object.assign({}, ...all.map(({ status }) => status?.(catalog))),
  withheld: () => all.flatMap(({ withheld }) => withheld?.() ?? [])
})

export const none = joined([])

const isExtension = (value: unknown): value is Any =>
  Predicate.isRecord(value) && Context.isTag(value["tag"]) && Predicate.isFunction(value["install"])

const checkEach = Check.list(Check.is(isExtension, "an extension"), "an array of extensions")

/** A second of one tag would hide the service of the first. */
export const check: Check.Check = (extensions: unknown, path) => {
  const wrong = checkEach(extensions, path)
  if (wrong.length > 0) return wrong
  const keys = (extensions as ReadonlyArray<Any>).map(({ tag }) => tag.key)
  return keys.flatMap((key, i) =>
    keys.indexOf(key) === i ? [] : [{ path: [...path, i], message: `is a second ${key}; a backend has one of each` }]
  )
}

export const install = (
  extensions: ReadonlyArray<Any> | undefined,
  host: Omit<Host, "offers">,
  offered: Offered
): Effect.Effect<Extensions, InvalidOptions, Scope.Scope> => {
  if (extensions === undefined || extensions.length === 0) return Effect.succeed(none)
  const all = Effect.forEach(
    extensions,
    (extension) =>
      Effect.map(
        extension.install({ ...host, offers: offered }),
        (installed): Each => ({ ...installed, tag: extension.tag })
      )
  )
  return Effect.map(all, (all) => {
    for (const { offering } of all) if (offering !== undefined) offered.add(offering)
    return joined(all)
  })
}
