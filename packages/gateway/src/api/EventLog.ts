/**
 * What has happened of late, as lines for people: a bounded list, and a stream of what is added.
 */
import { Effect, PubSub, Schema, Stream } from "effect"

/** One line. */
export const Entry = Schema.Struct({
  /** Milliseconds since 1970. */
  at: Schema.Number,
  /** `null`: of the gateway itself. */
  server: Schema.NullOr(Schema.String),
  level: Schema.Literal("info", "warning", "error"),
  text: Schema.String
}).annotations({ identifier: "Event" })
export type Entry = typeof Entry.Type

/** How many lines are kept, of all servers together. */
const kept = 500

/** How many lines a reader may be behind before it loses the oldest. */
const backlog = 100

/** The lines of one gateway. */
export interface EventLog {
  readonly add: (entry: Entry) => void
  /** The last ones, oldest first: at most `limit`, of one server where one is named. */
  readonly last: (limit: number, server?: string) => ReadonlyArray<Entry>
  /** What is added from the subscription on. */
  readonly added: Stream.Stream<Entry>
}

/** An empty one. */
export const make: Effect.Effect<EventLog> = Effect.map(PubSub.sliding<Entry>(backlog), (news): EventLog => {
  let entries: Array<Entry> = []
  return {
    add: (entry) => {
      entries.push(entry)
      // Many at once: to shift one from a long array costs as much as its length.
      if (entries.length >= 2 * kept) entries = entries.slice(-kept)
      news.unsafeOffer(entry)
    },
    last: (limit, server) =>
      limit <= 0
        ? []
        : entries.slice(-kept).filter((entry) => server === undefined || entry.server === server).slice(-limit),
    added: Stream.fromPubSub(news)
  }
})
