/**
 * What does not fit into the ids of sessions: settings, and which have ended. Bounded in number, size and age.
 */
import { key, type StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Option, Runtime, Schedule, Schema, type Scope } from "effect"

export const Record = Schema.Struct({
  /** The last use that was written, in milliseconds since 1970. */
  usedAt: Schema.Number,
  hasEnded: Schema.optional(Schema.Boolean),
  /** `Caller.ownerOf`, if that tells it from others. */
  owner: Schema.optional(Schema.String),
  /** In seconds since 1970. Only if it has ended. */
  born: Schema.optional(Schema.Number),
  level: Schema.optional(Schema.String),
  subscriptions: Schema.optional(Schema.Array(Schema.String)),
  /** How many more records hold subscriptions (`SessionRecord`). */
  pages: Schema.optional(Schema.Number),
  /** Its params, if they do not fit into the id. */
  initialize: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
export type Record = typeof Record.Type

/** An unused session ends after so long, in milliseconds. */
export const lifetime = 30 * 24 * 60 * 60 * 1000

export interface Limits {
  /** Sessions with a record. Default 5,000. */
  readonly maxSessions: number
  /** In all params of `initialize` and URIs of subscriptions. Default 64 Mi. */
  readonly maxChars: number
  /** Writes between two looks for records of other processes. Default 1,000. */
  readonly scanEvery?: number | undefined
}

const defaultLimits: Limits = { maxSessions: 5000, maxChars: 64 * 1024 * 1024 }

const defaultScanEvery = 1000

/** By the ids of sessions. Never fails. */
export interface SessionRecords {
  /**
   * `unknown` if nobody can say at the moment. `born`: when the session began, in seconds since 1970. If records of ended sessions of the same owner were
   * removed to make room, sessions without a record that are as old count as ended.
   */
  readonly get: (id: string, born?: number, owner?: string) => Promise<Record | "unknown" | undefined>
  /**
   * Writes one after the other, of a session only the last that waits. Resolves when this record or a later one is written, or cannot be; then it stays in
   * memory until a later write succeeds.
   */
  readonly set: (id: string, record: Record) => Promise<void>
}

interface Entry extends Pick<Record, "usedAt" | "hasEnded" | "born"> {
  readonly owner: string
  readonly length: number
}

interface Account {
  /** Least recently used first. */
  readonly names: Set<string>
  length: number
}

/** Makes room by the least recently used record of the owner that has most. */
class Index {
  readonly #limits: Limits
  /** Least recently used first. */
  readonly #all = new Map<string, Entry>()
  readonly #accounts = new Map<string, Account>()
  #length = 0
  /** By owner: sessions without a record that began then or earlier have ended. In seconds since 1970. */
  readonly #floors = new Map<string, number>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  get all(): ReadonlyMap<string, Entry> {
    return new Map(this.#all)
  }

  endedBefore(owner: string): number {
    return this.#floors.get(owner) ?? 0
  }

  raise(owner: string, endedBefore: number): void {
    if (endedBefore > this.endedBefore(owner)) this.#floors.set(owner, endedBefore)
  }

  add(name: string, { born, hasEnded, initialize, owner = "", subscriptions = [], usedAt }: Record): void {
    const length = subscriptions.reduce(
      (sum, uri) => sum + uri.length,
      initialize === undefined ? 0 : JSON.stringify(initialize).length
    )
    this.#put(name, { usedAt, hasEnded, born, owner, length })
  }

  /** Entries that were added since `before` stay, as used last. `found`: least recently used first. */
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
    const account = this.#accounts.get(entry.owner) ?? { names: new Set(), length: 0 }
    account.names.add(name)
    account.length += entry.length
    this.#accounts.set(entry.owner, account)
  }

  #remove(name: string): void {
    const entry = this.#all.get(name)
    if (entry === undefined) return
    this.#all.delete(name)
    this.#length -= entry.length
    const account = this.#accounts.get(entry.owner)
    if (account === undefined) return
    account.names.delete(name)
    account.length -= entry.length
    if (account.names.size === 0) this.#accounts.delete(entry.owner)
  }

  #next(): string | undefined {
    const amountOf = this.#all.size > this.#limits.maxSessions
      ? ({ names }: Account) => names.size
      : ({ length }: Account) => length
    let most: Account | undefined
    for (const one of this.#accounts.values()) if (most === undefined || amountOf(one) > amountOf(most)) most = one
    return most?.names.values().next().value
  }

  /** Also returns the owners whose floors have risen. */
  excess(): { readonly names: ReadonlyArray<string>; readonly owners: ReadonlySet<string> } {
    const names: Array<string> = []
    const owners = new Set<string>()
    while (this.#all.size > this.#limits.maxSessions || this.#length > this.#limits.maxChars) {
      const name = this.#next()
      const entry = name === undefined ? undefined : this.#all.get(name)
      if (name === undefined || entry === undefined) break
      this.#remove(name)
      names.push(name)
      if (entry.hasEnded !== true) continue
      // A session began before it was last used.
      this.raise(entry.owner, entry.born ?? entry.usedAt / 1000)
      owners.add(entry.owner)
    }
    return { names, owners }
  }
}

/** For a session whose own record was removed. */
const presumedEnded: Record = { usedAt: 0, hasEnded: true }

/** Records that end with this process. */
export const inMemory = (limits: Limits = defaultLimits): SessionRecords => {
  const records = new Map<string, Record>()
  const index = new Index(limits)
  return {
    get: (id, born = Number.POSITIVE_INFINITY, owner = "") =>
      Promise.resolve(records.get(id) ?? (born <= index.endedBefore(owner) ? presumedEnded : undefined)),
    set: (id, record) => {
      records.set(id, record)
      index.add(id, record)
      for (const one of index.excess().names) records.delete(one)
      return Promise.resolve()
    }
  }
}

const Floor = Schema.Struct({ endedBefore: Schema.Number })

/** Each write removes the excess; the start, and each day, what is too old. */
export const make = (
  folder: StateFolder["Type"],
  limits: Limits = defaultLimits
): Effect.Effect<SessionRecords, never, Scope.Scope> =>
  Effect.gen(function*() {
    const records = folder.collection("sessions", Record)
    const floors = folder.collection("sessions-ended", Floor)
    const index = new Index(limits)
    const runtime = yield* Effect.runtime<never>()
    const writing = yield* Effect.makeSemaphore(1)
    const unwritten = new Map<string, Record>()
    const { scanEvery = defaultScanEvery } = limits
    let scanIn = scanEvery

    /** Another process may have raised the floor on disk. */
    const raiseFloor = (owner: string) =>
      Effect.gen(function*() {
        const name = owner === "" ? "floor" : owner
        const kept = Option.getOrElse(yield* floors.get(name), () => ({ endedBefore: 0 }))
        const endedBefore = index.endedBefore(owner)
        if (endedBefore > kept.endedBefore) yield* floors.set(name, { endedBefore })
        else index.raise(owner, kept.endedBefore)
      })
    const makeRoom = Effect.gen(function*() {
      const { names, owners } = index.excess()
      yield* Effect.forEach(owners, raiseFloor, { discard: true })
      yield* Effect.forEach(names, (name) => {
        unwritten.delete(name)
        return records.remove(name)
      }, { discard: true })
    })
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
    // Closing the scope waits for the current write, and writes the rest.
    yield* Effect.addFinalizer(() => writing.withPermits(1)(writeRest))
    const found = (name: string) =>
      Effect.catchAll(
        Effect.map(records.read(name), Option.getOrUndefined),
        (failure): Effect.Effect<Record | "unknown" | undefined> =>
          failure.isForeign === true
            // It will never say anything. This warns.
            ? Effect.map(records.get(name), Option.getOrUndefined)
            : Effect.as(Effect.logWarning(`a session waits for its record: ${failure.message}`), "unknown")
      )
    const waiting = new Map<string, { record: Record; written: Promise<void> }>()
    const write = (name: string, next: { readonly record: Record }) =>
      Effect.gen(function*() {
        waiting.delete(name)
        if (yield* save(name, next.record)) yield* writeRest
        yield* makeRoom
        if (--scanIn > 0) return
        scanIn = scanEvery
        yield* scan
      }).pipe(
        writing.withPermits(1),
        Effect.catchAllCause((cause) => Effect.logError("the record of a session is not written", cause))
      )
    return {
      get: (id, born, owner = "") =>
        Runtime.runPromise(runtime)(
          writing.withPermits(1)(Effect.gen(function*() {
            const record = yield* found(key(id))
            if (record !== undefined || born === undefined) return record
            if (born > index.endedBefore(owner)) yield* raiseFloor(owner)
            return born <= index.endedBefore(owner) ? presumedEnded : undefined
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
