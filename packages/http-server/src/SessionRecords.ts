/**
 * What is kept of sessions beside their ids: what clients have asked for, and which sessions have ended. Bounded in number and age.
 */
import { key, type StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Option, Runtime, Schedule, Schema, type Scope } from "effect"
import type { ClientSettings } from "./Conversation.js"

/** What is kept of one session. */
export const Record = Schema.Struct({
  /** When the session was used last, as far as that was written, in milliseconds since 1970. */
  usedAt: Schema.Number,
  hasEnded: Schema.optional(Schema.Boolean),
  /** When a session that has ended began, in seconds since 1970. */
  born: Schema.optional(Schema.Number),
  level: Schema.optional(Schema.String),
  subscriptions: Schema.optional(Schema.Array(Schema.String)),
  /** The params of `initialize`, where they do not fit into the id. */
  initialize: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
export type Record = typeof Record.Type

/** A session that nobody has used for so long is over, in milliseconds. */
export const lifetime = 30 * 24 * 60 * 60 * 1000

/** How much is kept of all sessions together. */
export interface Limits {
  /** Sessions of which something is kept. Default 5,000. */
  readonly most: number
  /** Characters in all params of `initialize`. Default 64 Mi. */
  readonly mostText: number
  /** After so many writes it is looked what other processes have written, too. Default 1,000. */
  readonly scanEach?: number | undefined
}

const usualLimits: Limits = { most: 5000, mostText: 64 * 1024 * 1024 }

const usualScan = 1000

/** Resources that one session may be subscribed to, after a restart. */
const maxSubscriptions = 1000

/** Reads and writes records by the ids of sessions. Never fails. */
export interface SessionRecords {
  /**
   * The record of a session. `born` says when it began, in seconds since 1970: where records of sessions that have ended had to make room
   * for others, those that are not younger and have no record have ended.
   */
  readonly get: (id: string, born?: number) => Promise<Record | undefined>
  /**
   * Writes one after the other; the last one stays. Of those of one session that wait, only the last is written. The promise resolves when
   * the record, or a later one of the same session, is written, or cannot be. What cannot be written stays in memory, and is written when
   * something else can be.
   */
  readonly set: (id: string, record: Record) => Promise<void>
}

/** What a client has asked for, as far as it is kept. */
export const settingsOf = ({ level, subscriptions = [] }: Record): ClientSettings => ({ level, subscriptions })

/** A record of what a client has asked for. */
export const fromSettings = ({ level, subscriptions }: ClientSettings, usedAt: number): Record => ({
  usedAt,
  ...(level === undefined ? {} : { level }),
  ...(subscriptions.length === 0 ? {} : { subscriptions: subscriptions.slice(0, maxSubscriptions) })
})

/** What is known of a record that there is. */
interface Entry extends Pick<Record, "usedAt" | "hasEnded" | "born"> {
  readonly length: number
}

/** Which records there are, and which have to make room for others: those that were used least recently. */
class Index {
  readonly #limits: Limits
  /** In the order of last use. */
  readonly #all = new Map<string, Entry>()
  #length = 0
  /** No session that began then or earlier is alive without a record, in seconds since 1970. */
  endedBefore = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** What there is now. */
  get all(): ReadonlyMap<string, Entry> {
    return new Map(this.#all)
  }

  add(name: string, { born, hasEnded, initialize, usedAt }: Record): void {
    this.#put(name, {
      usedAt,
      hasEnded,
      born,
      length: initialize === undefined ? 0 : JSON.stringify(initialize).length
    })
  }

  /** Takes what was found, in the order of last use, in place of what there was before. What was added since was used last. */
  replace(before: ReadonlyMap<string, Entry>, found: ReadonlyArray<readonly [name: string, record: Record]>): void {
    const since = [...this.#all].filter(([name, entry]) => before.get(name) !== entry)
    for (const name of before.keys()) this.#remove(name)
    for (const [name, record] of found) this.add(name, record)
    for (const [name, entry] of since) this.#put(name, entry)
  }

  #put(name: string, entry: Entry): void {
    this.#remove(name)
    this.#all.set(name, entry)
    this.#length += entry.length
  }

  #remove(name: string): void {
    this.#length -= this.#all.get(name)?.length ?? 0
    this.#all.delete(name)
  }

  /** Takes out what is too much, and gives its names. */
  excess(): ReadonlyArray<string> {
    const names: Array<string> = []
    for (const [name, { born, hasEnded, usedAt }] of this.#all) {
      if (this.#all.size <= this.#limits.most && this.#length <= this.#limits.mostText) break
      this.#remove(name)
      names.push(name)
      // It began before it ended.
      if (hasEnded === true) this.endedBefore = Math.max(this.endedBefore, born ?? usedAt / 1000)
    }
    return names
  }
}

/** What stands for the record of a session that may have ended: nobody knows. */
const ended: Record = { usedAt: 0, hasEnded: true }

/** Records that end with this process. */
export const inMemory = (limits: Limits = usualLimits): SessionRecords => {
  const records = new Map<string, Record>()
  const index = new Index(limits)
  return {
    get: (id, born = Number.POSITIVE_INFINITY) =>
      Promise.resolve(records.get(id) ?? (born <= index.endedBefore ? ended : undefined)),
    set: (id, record) => {
      records.set(id, record)
      index.add(id, record)
      for (const one of index.excess()) records.delete(one)
      return Promise.resolve()
    }
  }
}

const Floor = Schema.Struct({ endedBefore: Schema.Number })

/** The records in the state folder. What is too much is removed as others are written, what is too old now and once a day. */
export const make = (
  folder: StateFolder["Type"],
  limits: Limits = usualLimits
): Effect.Effect<SessionRecords, never, Scope.Scope> =>
  Effect.gen(function*() {
    const records = folder.collection("sessions", Record)
    const floors = folder.collection("sessions-ended", Floor)
    const index = new Index(limits)
    const runtime = yield* Effect.runtime<never>()
    const writing = yield* Effect.makeSemaphore(1)
    /** Records that are only in memory, by name. */
    const unwritten = new Map<string, Record>()
    const { scanEach = usualScan } = limits
    let scanIn = scanEach

    const raiseFloor = Effect.gen(function*() {
      const kept = Option.getOrElse(yield* floors.get("floor"), () => ({ endedBefore: 0 }))
      if (index.endedBefore > kept.endedBefore) yield* floors.set("floor", { endedBefore: index.endedBefore })
      else index.endedBefore = kept.endedBefore
    })
    const makeRoom = Effect.gen(function*() {
      const names = index.excess()
      if (names.length === 0) return
      yield* raiseFloor
      yield* Effect.forEach(names, (name) => {
        unwritten.delete(name)
        return records.remove(name)
      }, { discard: true })
    })
    /** Looks what all processes have written. */
    const scan = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const before = index.all
      const found = (yield* records.entries).toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
      const isOld = ([, { usedAt }]: (typeof found)[number]) => now - usedAt > lifetime
      index.replace(before, found.filter((one) => !isOld(one)))
      yield* Effect.forEach(found.filter(isOld), ([name]) => records.remove(name), { discard: true })
      yield* makeRoom
    })
    yield* scan.pipe(Effect.repeat(Schedule.spaced("1 day")), Effect.interruptible, Effect.forkScoped)

    const save = (name: string, record: Record) =>
      Effect.gen(function*() {
        index.add(name, record)
        const isWritten = yield* records.set(name, record)
        if (isWritten) unwritten.delete(name)
        else unwritten.set(name, record)
        return isWritten
      })
    const writeRest = Effect.suspend(() => Effect.every([...unwritten], ([name, record]) => save(name, record)))
    // What is being written when the scope closes is written.
    yield* Effect.addFinalizer(() => writing.withPermits(1)(writeRest))
    /** What is to be written, by name. */
    const waiting = new Map<string, { record: Record; written: Promise<void> }>()
    const write = (name: string, next: { readonly record: Record }) =>
      Effect.gen(function*() {
        waiting.delete(name)
        if (yield* save(name, next.record)) yield* writeRest
        yield* makeRoom
        if (--scanIn > 0) return
        scanIn = scanEach
        yield* scan
      }).pipe(
        writing.withPermits(1),
        Effect.catchAllCause((cause) => Effect.logError("the record of a session is not written", cause))
      )
    return {
      get: (id, born) =>
        Runtime.runPromise(runtime)(
          writing.withPermits(1)(Effect.gen(function*() {
            const record = Option.getOrUndefined(yield* records.get(key(id)))
            if (record !== undefined || born === undefined) return record
            // Another process may have raised it.
            if (born > index.endedBefore) yield* raiseFloor
            return born <= index.endedBefore ? ended : undefined
          }))
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
