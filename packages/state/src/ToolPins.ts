/** One file for each server. Programs of one user share them, so what was approved in one counts in all. */
import { Effect, Option, Schema } from "effect"
import { digest } from "./digest.js"
import * as StateFolder from "./StateFolder.js"
import type { Unreadable } from "./Unreadable.js"

const Definition = Schema.Struct({ digest: Schema.String, text: Schema.optionalWith(Schema.String, { exact: true }) })

const Kept = Schema.Struct({
  server: Schema.String,
  approved: Schema.Array(Schema.Tuple(Schema.String, Definition)),
  found: Schema.Array(Schema.Struct({
    tool: Schema.String,
    definition: Schema.optionalWith(Definition, { exact: true }),
    since: Schema.Number
  }))
})

/** `PinStore.Kept` of the extensions. */
type Content = Omit<typeof Kept.Type, "server">

/** `PinStore.Reading` of the extensions. */
type Reading = Content | Pick<Unreadable, "_tag" | "file" | "reason"> | undefined

/** A `PinStore` of the extensions, which this package does not know. */
export interface Pins {
  readonly digest: (text: string) => string
  readonly get: Effect.Effect<Reading>
  readonly update: (change: (found: Reading) => Reading) => Effect.Effect<Reading>
}

export type Origin =
  | { readonly command: string; readonly args: ReadonlyArray<string>; readonly cwd?: string | undefined }
  | { readonly url: string }

const bounds = { maxFiles: 5000, maxUnused: 3 * 365 * 24 * 60 * 60 * 1000 }

/** For another program that writes, in milliseconds. What it loses then, the next comparison finds again. */
const patience = 3000

/** Without what may be a secret, which may change. */
const plain = (url: string): string => {
  try {
    const { origin, pathname } = new URL(url)
    return `${origin}${pathname}`
  } catch {
    return url
  }
}

/** Finds a server's files even if they cannot be read. */
const prefixOf = (server: string): string => `${StateFolder.key("pins", server)}-`

/** Without environment and headers, whose secrets change. */
const keyOf = (server: string, origin: Origin): string =>
  prefixOf(server) + ("url" in origin
    ? StateFolder.key(plain(origin.url))
    : StateFolder.key(origin.command, ...origin.args, origin.cwd ?? ""))

export interface ToolPins {
  readonly of: (server: string, origin: Origin) => Pins
  /** A server may have been started in several ways. Fails if that cannot be found out. */
  readonly named: (server: string) => Effect.Effect<ReadonlyArray<Pins>, Unreadable>
}

export const make: Effect.Effect<ToolPins, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const files = folder.collection("tool-pins", Kept, bounds)
    const pinsOf = (key: string, server: string): Pins => {
      const get: Effect.Effect<Reading> = Effect.merge(Effect.map(files.read(key), Option.getOrUndefined))
      const write = (change: Parameters<Pins["update"]>[0]) =>
        Effect.gen(function*() {
          // Without the lock if somebody keeps it too long: no calls may wait for that.
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
