/**
 * A bounded log of recent events as lines for people, and a stream of new lines.
 */
import { Effect, PubSub, Schema, Stream } from "effect"

export const Entry = Schema.Struct({
  /** Milliseconds since 1970. */
  at: Schema.Number,
  /** `null`: of the gateway itself. */
  server: Schema.NullOr(Schema.String),
  level: Schema.Literal("info", "warning", "error"),
  /** Without the name of the server before it. */
  text: Schema.String,
  /** Only in a cluster: the id of the replica that says it. */
  replica: Schema.optional(Schema.String),
  /** What others than admins read of it, if they may use the server; nothing of it where this is missing. */
  publicText: Schema.optional(Schema.String)
}).annotations({ identifier: "Event" })
export type Entry = typeof Entry.Type

/** How many lines the log keeps, of all servers together. */
const maxLines = 500

/** How many lines a slow reader may lag behind before it misses the oldest. */
const backlog = 100

/** The lines of one gateway. */
export interface EventLog {
  readonly add: (entry: Entry) => void
  /** The last lines, oldest first: at most `limit`, of all servers or of one, and from `since` on (milliseconds since 1970). */
  readonly last: (limit: number, server?: string, since?: number) => ReadonlyArray<Entry>
  /** The lines that are added after the subscription. */
  readonly added: Stream.Stream<Entry>
}

/** Makes an empty log. */
export const make: Effect.Effect<EventLog> = Effect.map(PubSub.sliding<Entry>(backlog), (lines): EventLog => {
  let entries: Array<Entry> = []
  return {
    add: (entry) => {
      entries.push(entry)
      // Removes many at once, because removing the first element of a long array takes time proportional to its length.
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
