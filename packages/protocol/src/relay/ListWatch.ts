/**
 * Finds lists that differ from what the client has read where no notification says so: after a restart, when some may have been missed, and
 * at intervals while none arrive. Keeps only digests.
 */
import type { Hearing } from "@mcp-lifeline/core"
import { Freshness, Handle, Listing } from "@mcp-lifeline/core/internal"
import { Effect, Predicate } from "effect"
import * as JsonRpc from "../JsonRpc.js"
import { isList, type ListMethod, lists } from "../listMethods.js"
import * as ReadList from "./ReadList.js"
import type { Target } from "./Relay.js"
import * as TaskMarks from "./TaskMarks.js"

export type Page = Readonly<Record<string, unknown>>

/** Of one list. */
export const maxPages = 100

export interface WatchedTarget extends Target {
  readonly backend: NonNullable<Target["backend"]>
}

/** None of these may throw. */
export interface Options {
  readonly target: WatchedTarget
  /** Decodes a list as the client has got it. */
  readonly schemaOf: (method: ListMethod) => unknown
  /** Whether somebody else compares the lists. Default: nobody. */
  readonly isWatched?: (() => boolean) | undefined
  /** Called once with all that differ, or could not be read. */
  readonly onChanged: (methods: ReadonlyArray<ListMethod>) => void
  /** Called with each list that was read to its end. */
  readonly onRead?: ((method: ListMethod, pages: ReadonlyArray<Page>) => void) | undefined
}

interface Known {
  readonly read: ReadList.ReadList
  /** In milliseconds. */
  readonly timeToLive: number | undefined
  /** It could not be read, and the client was notified. */
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
  /** Open while no notifications arrive. */
  readonly #deaf = Effect.unsafeMakeLatch()
  readonly #due = new Set<ListMethod>()
  readonly #wanted = Effect.unsafeMakeLatch()

  constructor(options: Options) {
    this.#options = options
  }

  given(method: string, params: unknown, page: unknown): void {
    if (!isList(method) || !Predicate.isRecord(page)) return
    const cursor = Predicate.isRecord(params) ? params["cursor"] : undefined
    const before = cursor === undefined ? undefined : this.#known.get(method)
    const read = before?.read ?? ReadList.none
    if (read.next !== cursor) return
    this.#known.set(method, {
      read: ReadList.and(read, entriesOf(method, page), page["nextCursor"]),
      timeToLive: Freshness.shorter(before?.timeToLive, Freshness.timeToLive(page["ttlMs"])),
      isDoubtful: false
    })
  }

  forget(): void {
    this.#known.clear()
    this.#due.clear()
  }

  #want(methods: Iterable<ListMethod>): void {
    for (const method of methods) this.#due.add(method)
    if (this.#due.size > 0) this.#wanted.unsafeOpen()
  }

  heard({ announced, unannounced }: Hearing): void {
    this.#unannounced = unannounced
    if (announced.length > 0) this.compare()
    if (unannounced.length > 0) this.#deaf.unsafeOpen()
    else this.#deaf.unsafeClose()
  }

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

  /** Reads the lists that the client has read again. If that is being done, it is done once more. */
  compare(): void {
    if (this.#options.isWatched?.() === true) return
    this.#want(this.#known.keys())
  }

  get #comparing(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* this.#wanted.await
      this.#wanted.unsafeClose()
      const methods = [...this.#due]
      this.#due.clear()
      // The next connection is compared anyway.
      if (!this.#isConnected) return
      const differing = yield* Effect.filter(methods, (method) => this.#differs(method))
      if (differing.length > 0) this.#options.onChanged(differing)
    })
  }

  get #timesToLive(): ReadonlyArray<number> {
    return [...this.#known].flatMap(([method, { timeToLive }]) =>
      this.#unannounced.includes(lists[method]) ? timeToLive ?? [] : []
    )
  }

  /** As far as the client has read it. */
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
    return backend !== undefined && Handle.stateOf(backend) === "Connected"
  }

  #isOlder(method: ListMethod, known: Known): boolean {
    if (this.#known.get(method) === known) return false
    if (this.#known.has(method)) this.#want([method])
    return true
  }
}
