/**
 * What is kept of sessions beside their ids: what clients have asked for, and which sessions have ended. Bounded in number and age.
 */
import { Effect, Option, Runtime, Schedule, Schema, type Scope } from "effect"
import { key, type StateFolder } from "../state/StateFolder.js"
import type { Wishes } from "./Conversation.js"

/** What is kept of one session. */
export const Record = Schema.Struct({
  /** When the session was used last, as far as that was written, in milliseconds since 1970. */
  usedAt: Schema.Number,
  hasEnded: Schema.optional(Schema.Boolean),
  level: Schema.optional(Schema.String),
  subscriptions: Schema.optional(Schema.Array(Schema.String)),
  /** The params of `initialize`, where they do not fit into the id. */
  initialize: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
export type Record = typeof Record.Type

/** A session that nobody has used for so long is over, in milliseconds. */
export const lifetime = 30 * 24 * 60 * 60 * 1000

/** Sessions of which something is kept. */
const maxRecords = 5000
/** Resources that one session may be subscribed to, after a restart. */
const maxSubscriptions = 1000

/** Reads and writes records by the ids of sessions. Never fails. */
export interface SessionRecords {
  readonly get: (id: string) => Promise<Record | undefined>
  /**
   * Writes one after the other; the last one stays. Of those of one session that wait, only the last is written. The promise resolves when
   * the record, or a later one of the same session, is written, or cannot be.
   */
  readonly set: (id: string, record: Record) => Promise<void>
}

/** What a client has asked for, as far as it is kept. */
export const wishesOf = ({ level, subscriptions = [] }: Record): Wishes => ({ level, subscriptions })

/** A record of what a client has asked for. */
export const recordOf = ({ level, subscriptions }: Wishes, usedAt: number): Record => ({
  usedAt,
  ...(level === undefined ? {} : { level }),
  ...(subscriptions.length === 0 ? {} : { subscriptions: subscriptions.slice(0, maxSubscriptions) })
})

/** Records that end with this process. */
export const inMemory = (): SessionRecords => {
  const records = new Map<string, Record>()
  return {
    get: (id) => Promise.resolve(records.get(id)),
    set: (id, record) => {
      records.delete(id)
      records.set(id, record)
      const [oldest] = records.keys()
      if (records.size > maxRecords && oldest !== undefined) records.delete(oldest)
      return Promise.resolve()
    }
  }
}

/** The records in the state folder. What is too old or too much is removed now, and once a day. */
export const make = (folder: StateFolder["Type"]): Effect.Effect<SessionRecords, never, Scope.Scope> =>
  Effect.gen(function*() {
    const records = folder.collection("sessions", Record)
    const runtime = yield* Effect.runtime<never>()
    const writing = yield* Effect.makeSemaphore(1)
    // What is being written when the scope closes is written.
    yield* Effect.addFinalizer(() => writing.withPermits(1)(Effect.void))
    const removeOld = Effect.gen(function*() {
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const found = (yield* records.entries).toSorted(([, a], [, b]) => b.usedAt - a.usedAt)
      yield* Effect.forEach(
        found.filter(([, { usedAt }], i) => i >= maxRecords || now - usedAt > lifetime),
        ([name]) => records.remove(name),
        { discard: true }
      )
    })
    yield* removeOld.pipe(Effect.repeat(Schedule.spaced("1 day")), Effect.interruptible, Effect.forkScoped)
    /** What is to be written, by name. */
    const waiting = new Map<string, { record: Record; written: Promise<void> }>()
    const write = (name: string, next: { readonly record: Record }) =>
      Effect.suspend(() => {
        waiting.delete(name)
        return records.set(name, next.record)
      }).pipe(
        writing.withPermits(1),
        Effect.catchAllCause((cause) => Effect.logError("the record of a session is not written", cause))
      )
    return {
      get: (id) =>
        Runtime.runPromise(runtime)(
          Effect.map(writing.withPermits(1)(records.get(key(id))), Option.getOrUndefined)
        ),
      set: (id, record) => {
        const name = key(id)
        const before = waiting.get(name)
        if (before !== undefined) {
          before.record = record
          return before.written
        }
        const next = { record, written: Promise.resolve() }
        waiting.set(name, next)
        next.written = Runtime.runPromise(runtime)(write(name, next))
        return next.written
      }
    }
  })
