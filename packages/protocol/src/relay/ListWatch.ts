/**
 * Finds out which lists of a server differ from what its client has read, where no notification says so: after a restart, when
 * notifications may have been missed, and at intervals while none arrive. Reads only lists that the client has read, and keeps digests of
 * them.
 */
import type { Hearing } from "@mcp-lifeline/core"
import { Freshness, Listing, stateOf } from "@mcp-lifeline/core/internal"
import { Clock, Effect, Predicate } from "effect"
import * as JsonRpc from "../JsonRpc.js"
import { isList, type ListMethod, lists } from "../listMethods.js"
import * as ReadList from "./ReadList.js"
import type { Target } from "./Relay.js"
import * as TaskMarks from "./TaskMarks.js"

/** A page as a server gives it. */
export type Page = Readonly<Record<string, unknown>>

/** The most pages of one list that are read. */
export const maxPages = 100

/** A target whose backend can be seen. */
export interface WatchedTarget extends Target {
  readonly backend: NonNullable<Target["backend"]>
}

/** The pauses before announced lists are compared, in milliseconds: the least, and the longest while nothing differs. */
const pauses = { least: 300, most: 60_000 }

/** The client, and how to reach its server. None of these may throw. */
export interface Options {
  readonly target: WatchedTarget
  /** The schema that decodes a list as the client has got it. */
  readonly schemaOf: (method: ListMethod) => unknown
  /** Whether somebody else reads the lists, and compares them. Default: nobody does. */
  readonly isWatched?: (() => boolean) | undefined
  /** Called once with all lists that differ, or that could not be read. */
  readonly onChanged: (methods: ReadonlyArray<ListMethod>) => void
  /** Called with each list that was read to its end. */
  readonly onRead?: ((method: ListMethod, pages: ReadonlyArray<Page>) => void) | undefined
}

/** What the client has read of a list. */
interface Known {
  readonly read: ReadList.ReadList
  /** How long the server says that it holds, in milliseconds. */
  readonly timeToLive: number | undefined
  /** The client was notified that it may differ, because it could not be read. */
  readonly isDoubtful: boolean
}

const entriesOf = (method: ListMethod, page: Page): ReadonlyArray<unknown> => {
  const entries = TaskMarks.list(page)[lists[method]]
  return Array.isArray(entries) ? entries : []
}

export class ListWatch {
  readonly #options: Options
  readonly #known = new Map<ListMethod, Known>()
  #unannounced: Hearing["unannounced"] = []
  /** Open while notifications do not arrive. */
  readonly #deaf = Effect.unsafeMakeLatch()
  /** What the client had read of a list when the server said that it has changed, until it has read as much again. */
  readonly #before = new Map<ListMethod, ReadList.ReadList>()
  /** Lists that were the same when the client read them after that, and have not been others since. */
  readonly #vain = new Set<ListMethod>()
  /** Lists to compare. */
  readonly #due = new Set<ListMethod>()
  /** Open while there are some. */
  readonly #wanted = Effect.unsafeMakeLatch()
  /** Open while they are to be compared without a pause. */
  readonly #urgent = Effect.unsafeMakeLatch()
  #pause = 0
  #comparedAt = Number.NEGATIVE_INFINITY

  constructor(options: Options) {
    this.#options = options
  }

  /** The client gets a page, for a request with these params. */
  given(method: string, params: unknown, page: unknown): void {
    if (!isList(method) || !Predicate.isRecord(page)) return
    const cursor = Predicate.isRecord(params) ? params["cursor"] : undefined
    const before = cursor === undefined ? undefined : this.#known.get(method)
    const read = before?.read ?? ReadList.none
    if (read.next !== cursor) return
    const now = ReadList.and(read, entriesOf(method, page), page["nextCursor"])
    this.#known.set(method, {
      read: now,
      timeToLive: Freshness.shorter(before?.timeToLive, Freshness.timeToLive(page["ttlMs"])),
      isDoubtful: false
    })
    const older = this.#before.get(method)
    if (older === undefined || (!now.isWhole && now.count < older.count)) return
    this.#before.delete(method)
    if (ReadList.isSame(older, now)) return void this.#vain.add(method)
    // It was withheld, and one conversation may be that of several clients, of whom one has read it.
    if (this.#vain.delete(method)) this.#options.onChanged([method])
  }

  /** The client was notified of all lists: what it has read says nothing any more. */
  forget(): void {
    for (const lists of [this.#known, this.#before, this.#vain, this.#due]) lists.clear()
  }

  /**
   * The server says that these lists have changed. Returns whether the client is to be told at once. Some servers say so whenever they are
   * asked, and some clients ask whenever they hear it: where the client has read the same list again, what is announced is compared
   * before it is told, the less often the longer nothing differs.
   */
  announced(methods: ReadonlyArray<ListMethod>): boolean {
    const known = methods.flatMap((method) => {
      const known = this.#known.get(method)
      if (known === undefined) return []
      if (!this.#before.has(method)) this.#before.set(method, known.read)
      return method
    })
    if (known.length === 0 || known.some((method) => !this.#vain.has(method))) return true
    this.#want(known)
    return false
  }

  #want(methods: Iterable<ListMethod>): void {
    for (const method of methods) this.#due.add(method)
    if (this.#due.size > 0) this.#wanted.unsafeOpen()
  }

  /** Notifications of these lists arrive from now on, or do not. */
  heard({ announced, unannounced }: Hearing): void {
    this.#unannounced = unannounced
    if (announced.length > 0) this.compare()
    if (unannounced.length > 0) this.#deaf.unsafeOpen()
    else this.#deaf.unsafeClose()
  }

  /** Compares lists where that is due, and at intervals while notifications do not arrive. */
  get work(): Effect.Effect<never> {
    return Effect.zipRight(Effect.fork(this.#polling), Effect.forever(this.#comparing))
  }

  get #polling(): Effect.Effect<never> {
    return Effect.forever(Effect.zipRight(
      Effect.zipRight(
        this.#deaf.await,
        Freshness.pollPause((draw) => Freshness.pollAfter(this.#timesToLive, undefined, draw))
      ),
      Effect.sync(() => {
        if (this.#unannounced.length > 0 && this.#isConnected) this.compare()
      })
    ))
  }

  /** The lists that the client has read are read again and compared. If that is being done, it is done once more. */
  compare(): void {
    if (this.#options.isWatched?.() === true) return
    this.#urgent.unsafeOpen()
    this.#want(this.#known.keys())
  }

  get #comparing(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* this.#wanted.await
      const wait = this.#comparedAt + this.#pause - (yield* Clock.currentTimeMillis)
      if (wait > 0) yield* Effect.raceFirst(Effect.sleep(wait), this.#urgent.await)
      this.#wanted.unsafeClose()
      this.#urgent.unsafeClose()
      const methods = [...this.#due]
      this.#due.clear()
      // The next connection is compared anyway.
      if (!this.#isConnected) return
      const differing = yield* Effect.filter(methods, (method) => this.#differs(method))
      if (methods.some((method) => this.#vain.has(method))) {
        this.#comparedAt = yield* Clock.currentTimeMillis
        this.#pause = differing.length > 0
          ? pauses.least
          : Math.min(pauses.most, Math.max(pauses.least, 2 * this.#pause))
      }
      for (const method of differing) this.#vain.delete(method)
      if (differing.length > 0) this.#options.onChanged(differing)
    })
  }

  get #timesToLive(): ReadonlyArray<number> {
    return [...this.#known].flatMap(([method, { timeToLive }]) =>
      this.#unannounced.includes(lists[method]) ? timeToLive ?? [] : []
    )
  }

  /** Whether a list is another one than the client has read, as far as it has read it. */
  #differs(method: ListMethod): Effect.Effect<boolean> {
    const { onRead, schemaOf, target } = this.#options
    const known = this.#known.get(method)
    if (known === undefined) return Effect.succeed(false)
    const { isWhole, count } = known.read
    return Effect.gen(this, function*() {
      let read = ReadList.none
      let timeToLive: number | undefined
      const pages: Array<Page> = []
      const ask = (cursor: string | undefined): Effect.Effect<Page, unknown> => {
        const params = cursor === undefined ? {} : { cursor }
        return Effect.catchIf(
          target.use((backend) => backend.request(method, params, { resultSchema: schemaOf(method) as never })),
          (error) => Predicate.hasProperty(error, "code") && error.code === JsonRpc.methodNotFound,
          () => Effect.succeed({})
        ) as Effect.Effect<Page, unknown>
      }
      const take = (page: Page): boolean => {
        read = ReadList.and(read, entriesOf(method, page), page["nextCursor"], isWhole ? undefined : count)
        timeToLive = Freshness.shorter(timeToLive, Freshness.timeToLive(page["ttlMs"]))
        if (onRead !== undefined) pages.push(page)
        return isWhole || onRead !== undefined || read.count < count
      }
      const ending = yield* Listing.readPages(lists[method], maxPages, ask, take)
      if (ending === "whole" || ending === "repeated") onRead?.(method, pages)
      // The client has read it meanwhile.
      if (this.#isOlder(method, known)) return false
      this.#known.set(method, { read, timeToLive, isDoubtful: false })
      return known.isDoubtful || !ReadList.isSame(known.read, read)
    }).pipe(
      Effect.catchAll(() =>
        Effect.sync(() => {
          // If it is lost, the next connection is asked.
          if (!this.#isConnected || this.#isOlder(method, known)) return false
          this.#known.set(method, { ...known, isDoubtful: true })
          return !known.isDoubtful
        })
      )
    )
  }

  get #isConnected(): boolean {
    const backend = this.#options.target.backend()
    return backend !== undefined && stateOf(backend) === "Connected"
  }

  #isOlder(method: ListMethod, known: Known): boolean {
    if (this.#known.get(method) === known) return false
    if (this.#known.has(method)) this.#want([method])
    return true
  }
}
