import { Effect, PubSub, Schema, Stream } from "effect"

export const Entry = Schema.Struct({
  /** Milliseconds since 1970. */
  at: Schema.Number,
  /** `null`: of the gateway itself. */
  server: Schema.NullOr(Schema.String),
  level: Schema.Literal("info", "warning", "error"),
  /** Without the name of the server. */
  text: Schema.String,
  /** What callers other than admins read of it, if they may use the server; missing: nothing. */
  publicText: Schema.optional(Schema.String)
}).annotations({ identifier: "Event" })
export type Entry = typeof Entry.Type

/** Of all servers together. */
const maxLines = 500

/** How many lines a slow reader may lag behind before it misses the oldest. */
const backlog = 100

export interface EventLog {
  readonly add: (entry: Entry) => void
  /** Oldest first. `since`: milliseconds since 1970. */
  readonly last: (limit: number, server?: string, since?: number) => ReadonlyArray<Entry>
  readonly added: Stream.Stream<Entry>
}

export const make: Effect.Effect<EventLog> = Effect.map(PubSub.sliding<Entry>(backlog), (lines): EventLog => {
  let entries: Array<Entry> = []
  return {
    add: (entry) => {
      entries.push(entry)
      // Many at once: removing the first element of a long array takes time proportional to its length.
      if (entries.length >= 2 * maxLines) entries = entries.slice(-maxLines)
      lines.unsafeOffer(entry)
    },
    last: (limit, server, since = 0) =>
      limit <= 0
        ? []
        : entries.slice(-maxLines)
          .filter((entry) => (server === undefined || entry.server === server) && entry.at >= since)
          .slice(-limit),
    added: Stream.fromPubSub(lines)
  }
})
