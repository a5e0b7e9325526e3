/** What does not fit into the ids of sessions. What a store refuses stays in memory, and is written once it takes something again. */
import { key } from "@mcp-lifeline/state/StateFolder"
import { Deferred, Effect, Exit, FiberId, Iterable, Option, Runtime, Schedule, Schema, type Scope } from "effect"

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

/** Sessions without a record that began then or earlier have ended. In seconds since 1970. */
export const Floor = Schema.Struct({ endedBefore: Schema.Number })

/** An unused session ends after so long, in milliseconds. */
export const lifetime = 30 * 24 * 60 * 60 * 1000

export interface Limits {
  /** Sessions with a record. Default 5,000. */
  readonly maxSessions: number
  /** In all params of `initialize` and URIs of subscriptions. Default 64 Mi. */
  readonly maxChars: number
  /** Writes between two looks for records of other processes. Default 1,000. */
  readonly lookEvery?: number | undefined
}

export const defaultLimits: Limits = { maxSessions: 5000, maxChars: 64 * 1024 * 1024 }

/** By the ids of sessions. Never fails. */
export interface SessionRecords {
  /**
   * `unknown` if nobody can say at the moment. `born`: when the session began, in seconds since 1970. If records of ended sessions of the same owner were
   * removed to make room, sessions without a record that are as old count as ended.
   */
  readonly get: (id: string, born?: number, owner?: string) => Promise<Record | "unknown" | undefined>
  /** Of a session, only the last that waits is written, and never two at once. Resolves when this record or a later one is written or refused. */
  readonly set: (id: string, record: Record) => Promise<void>
}

export interface RecordStore {
  /** Fails if there may be one. */
  readonly read: (name: string) => Effect.Effect<Record | undefined, unknown>
  /** Fails if it is not there, but may be later. No record replaces that of a session's end. */
  readonly write: (name: string, record: Record) => Effect.Effect<void, unknown>
  /** See `Floor`. */
  readonly endedBefore: (owner: string) => Effect.Effect<number, unknown>
  /** Removes what is too old or too much, whoever wrote it. */
  readonly clean: Effect.Effect<void>
}

/** The end of a session is never undone. */
export const newer = <A extends Record | undefined>(before: Record | undefined, next: A): Record | A =>
  before?.hasEnded === true && next?.hasEnded !== true ? before : next

/** For a session whose own record was removed. */
export const presumedEnded: Record = { usedAt: 0, hasEnded: true }

/** What a record takes of the limits. */
export interface Share {
  readonly owner: string
  readonly chars: number
  /** If its session has ended. */
  readonly floor: number | undefined
}

export const shareOf = ({ born, hasEnded, initialize, owner = "", subscriptions = [], usedAt }: Record): Share => ({
  owner,
  chars: subscriptions.reduce(
    (sum, uri) => sum + uri.length,
    initialize === undefined ? 0 : JSON.stringify(initialize).length
  ),
  // A session began before it was last used.
  floor: hasEnded === true ? born ?? usedAt / 1000 : undefined
})

export interface Excess {
  readonly names: ReadonlyArray<string>
  /** By owner: the end of one of these sessions is no longer known otherwise. */
  readonly floors: ReadonlyMap<string, number>
}

interface Account {
  /** The first is the last. */
  readonly shares: Array<readonly [name: string, share: Share]>
  chars: number
}

/** Makes room by the first record of the owner that has most. */
export const excess = (all: ReadonlyMap<string, Share>, { maxChars, maxSessions }: Limits): Excess => {
  const names: Array<string> = []
  const floors = new Map<string, number>()
  let [count, chars] = [all.size, 0]
  for (const share of all.values()) chars += share.chars
  if (count <= maxSessions && chars <= maxChars) return { names, floors }
  const accounts = new Map<string, Account>()
  for (const one of [...all].toReversed()) {
    const [, { chars, owner }] = one
    const account = accounts.get(owner) ?? { shares: [], chars: 0 }
    accounts.set(owner, account)
    account.shares.push(one)
    account.chars += chars
  }
  while (count > maxSessions || chars > maxChars) {
    const amountOf = count > maxSessions ? ({ shares }: Account) => shares.length : ({ chars }: Account) => chars
    let most: Account | undefined
    for (const one of accounts.values()) if (most === undefined || amountOf(one) > amountOf(most)) most = one
    const [name, share] = most?.shares.pop() ?? []
    if (most === undefined || name === undefined || share === undefined) break
    names.push(name)
    count--
    chars -= share.chars
    most.chars -= share.chars
    if (share.floor !== undefined) floors.set(share.owner, Math.max(share.floor, floors.get(share.owner) ?? 0))
  }
  return { names, floors }
}

export const inMemory = (limits: Limits = defaultLimits): SessionRecords => {
  const all = new Map<string, Share & { readonly record: Record }>()
  const floors = new Map<string, number>()
  return {
    get: (id, born = Number.POSITIVE_INFINITY, owner = "") =>
      Promise.resolve(all.get(id)?.record ?? (born <= (floors.get(owner) ?? 0) ? presumedEnded : undefined)),
    set: (id, given) => {
      const record = newer(all.get(id)?.record, given)
      all.delete(id)
      all.set(id, { ...shareOf(record), record })
      const { floors: raised, names } = excess(all, limits)
      for (const [owner, floor] of raised) floors.set(owner, Math.max(floor, floors.get(owner) ?? 0))
      for (const name of names) all.delete(name)
      return Promise.resolve()
    }
  }
}

/** The newest record of a session, while the store does not have it. */
interface Write extends Share {
  readonly record: Record
  /** `behind`: an older one is being written. */
  readonly at: "waiting" | "writing" | "behind" | "refused"
}

const put = (before: Write | undefined, given: Record): Write => {
  const record = newer(before?.record, given)
  const isBehind = before?.at === "writing" || before?.at === "behind"
  return { ...shareOf(record), record, at: isBehind ? "behind" : "waiting" }
}

/** After a write; undefined if the store has the newest. */
const written = (write: Write, isTaken: boolean): Write | undefined =>
  write.at === "behind" ? { ...write, at: "waiting" } : isTaken ? undefined : { ...write, at: "refused" }

/** Concurrent writes: a cluster's leases need connections, too. */
const atOnce = 2

/** Before writing again what was refused, in milliseconds. */
const again = 1000

/** When the scope closes, writes what is left. `limits`: of what the store refuses. */
export const make = (
  store: RecordStore,
  limits: Limits = defaultLimits
): Effect.Effect<SessionRecords, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const permits = yield* Effect.makeSemaphore(atOnce)
    const isRefused = yield* Effect.makeLatch(false)
    const writes = new Map<string, Write>()
    const waiters = new Map<string, Deferred.Deferred<void>>()
    let isAway = false
    const { lookEvery = 1000 } = limits
    let lookIn = lookEvery

    const first = (at: Write["at"]) => Iterable.findFirst(writes, ([, write]) => write.at === at)
    const next = () => Option.orElse(first("waiting"), () => isAway ? Option.none() : first("refused"))
    const ended = (name: string, isTaken: boolean): void => {
      const write = writes.get(name)
      const left = write && written(write, isTaken)
      isAway = !isTaken
      writes.delete(name)
      if (left === undefined) return
      writes.set(name, left)
      if (left.at !== "refused") return
      isRefused.unsafeOpen()
      const kept = new Map(Iterable.filter(writes, ([, { at }]) => at === "refused"))
      for (const one of excess(kept, limits).names) writes.delete(one)
    }
    const write = ([name, newest]: readonly [string, Write]) =>
      Effect.gen(function*() {
        writes.set(name, { ...newest, at: "writing" })
        const waiter = waiters.get(name)
        waiters.delete(name)
        const isTaken = yield* store.write(name, newest.record).pipe(
          Effect.as(true),
          Effect.catchAll(() => Effect.succeed(false)),
          Effect.catchAllCause((cause) =>
            Effect.as(Effect.logError("the record of a session is not written", cause), true)
          )
        )
        ended(name, isTaken)
        if (waiter !== undefined) Deferred.unsafeDone(waiter, Exit.void)
        if (--lookIn > 0) return
        lookIn = lookEvery
        yield* store.clean
      })
    const writeAll = Effect.uninterruptible(Effect.gen(function*() {
      for (let one = next(); Option.isSome(one); one = next()) yield* write(one.value)
    }))
    const tryAgain = Effect.suspend(() => {
      isAway = false
      isRefused.unsafeClose()
      return writeAll
    })
    yield* Effect.addFinalizer(() => permits.withPermits(atOnce)(tryAgain))
    yield* isRefused.await.pipe(
      Effect.zipRight(Effect.sleep(again)),
      Effect.zipRight(permits.withPermits(1)(tryAgain)),
      Effect.forever,
      Effect.interruptible,
      Effect.forkScoped
    )
    yield* store.clean.pipe(Effect.repeat(Schedule.spaced("1 day")), Effect.interruptible, Effect.forkScoped)

    return {
      get: (id, born, owner = "") => {
        const name = key(id)
        const before = writes.get(name)?.record
        const own = () => writes.get(name)?.record ?? before
        const found = Effect.gen(function*() {
          const stored = yield* store.read(name)
          const record = newer(stored, own() ?? stored)
          if (record !== undefined || born === undefined) return record
          return born <= (yield* store.endedBefore(owner)) ? presumedEnded : undefined
        })
        return Runtime.runPromise(runtime)(Effect.orElse(found, () => Effect.sync(() => own() ?? "unknown" as const)))
      },
      set: (id, record) => {
        const name = key(id)
        writes.set(name, put(writes.get(name), record))
        const waiter = waiters.get(name) ?? Deferred.unsafeMake<void>(FiberId.none)
        if (!waiters.has(name)) Runtime.runFork(runtime)(permits.withPermits(1)(writeAll))
        waiters.set(name, waiter)
        return Runtime.runPromise(runtime)(Deferred.await(waiter))
      }
    }
  })
