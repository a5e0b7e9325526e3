/**
 * The definitions of servers' tools that were approved, and what differs from them: one file for each server. Programs of one user share them,
 * so what was approved in one counts in all.
 */
import { Effect, Option, Schema } from "effect"
import { digest } from "./digest.js"
import * as StateFolder from "./StateFolder.js"
import type { Unreadable } from "./Unreadable.js"

const Definition = Schema.Struct({ digest: Schema.String, text: Schema.optionalWith(Schema.String, { exact: true }) })

const Kept = Schema.Struct({
  /** The name of the server. */
  server: Schema.String,
  approved: Schema.Array(Schema.Tuple(Schema.String, Definition)),
  found: Schema.Array(Schema.Struct({
    tool: Schema.String,
    definition: Schema.optionalWith(Definition, { exact: true }),
    since: Schema.Number
  }))
})

/** What is kept of one server: `PinStore.Kept` of the extensions. */
type Content = Omit<typeof Kept.Type, "server">

/** What was found of one server: `PinStore.Reading` of the extensions. */
type Reading = Content | Pick<Unreadable, "_tag" | "file" | "reason"> | undefined

/** Where the definitions of one server are kept: a `PinStore` of the extensions, which this package does not know. */
export interface Pins {
  readonly digest: (text: string) => string
  readonly get: Effect.Effect<Reading>
  readonly update: (change: (found: Reading) => Reading) => Effect.Effect<Reading>
}

/** How a server is started or reached. */
export type Origin =
  | { readonly command: string; readonly args: ReadonlyArray<string>; readonly cwd?: string | undefined }
  | { readonly url: string }

/** Far more than anybody has; what nobody has used for years goes first. */
const bounds = { maxFiles: 5000, maxUnused: 3 * 365 * 24 * 60 * 60 * 1000 }

/** How long to wait for another program that writes, in milliseconds. What it loses then, the next comparison finds again. */
const patience = 3000

/** An address without what may be a secret, which may change. */
const plain = (url: string): string => {
  try {
    const { origin, pathname } = new URL(url)
    return `${origin}${pathname}`
  } catch {
    return url
  }
}

/** How all keys of a server begin, so that its files are found even if they cannot be read. */
const prefixOf = (server: string): string => `${StateFolder.key("pins", server)}-`

/** The key of a server: its name, and how it is started or reached, without its environment and headers, whose secrets change. */
const keyOf = (server: string, origin: Origin): string =>
  prefixOf(server) + ("url" in origin
    ? StateFolder.key(plain(origin.url))
    : StateFolder.key(origin.command, ...origin.args, origin.cwd ?? ""))

/** The definitions of all servers. */
export interface ToolPins {
  readonly of: (server: string, origin: Origin) => Pins
  /** All that is kept under the name of a server, which may have been started in several ways. Fails if that cannot be found out. */
  readonly named: (server: string) => Effect.Effect<ReadonlyArray<Pins>, Unreadable>
}

/** Those of the state folder. */
export const make: Effect.Effect<ToolPins, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const files = folder.collection("tool-pins", Kept, bounds)
    const pinsOf = (key: string, server: string): Pins => {
      const get: Effect.Effect<Reading> = Effect.merge(Effect.map(files.read(key), Option.getOrUndefined))
      const write = (change: Parameters<Pins["update"]>[0]) =>
        Effect.gen(function*() {
          // Without the lock where somebody keeps it for too long: nobody's calls may wait for that.
          yield* Effect.timeoutOption(Effect.interruptible(folder.lock(`pins-${key}`)), patience)
          const before = yield* get
          const after = change(before)
          if (after === before || (after !== undefined && "_tag" in after)) return after
          yield* after === undefined ? files.remove(key) : files.set(key, { ...after, server })
          return after
        })
      return {
        digest,
        get,
        update: (change) =>
          Effect.flatMap(
            get,
            (before) => change(before) === before ? Effect.succeed(before) : Effect.scoped(write(change))
          )
      }
    }
    return {
      of: (server, origin) => pinsOf(keyOf(server, origin), server),
      named: (server) =>
        Effect.map(
          files.keys,
          (keys) => keys.filter((key) => key.startsWith(prefixOf(server))).map((key) => pinsOf(key, server))
        )
    }
  }
)
