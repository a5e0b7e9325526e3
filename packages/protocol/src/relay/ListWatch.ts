/** Finds lists that differ from what the client has read, where no notification says so. */
import type { Hearing } from "@mcp-lifeline/core"
import { Freshness, Handle, type Kind, Listing } from "@mcp-lifeline/core/internal"
import { Effect, Predicate } from "effect"
import * as JsonRpc from "../JsonRpc.js"
import { isList, type ListMethod, lists } from "../listMethods.js"
import * as ListState from "./ListState.js"
import type { Target } from "./Relay.js"
import * as TaskMarks from "./TaskMarks.js"

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
  /** Whether somebody else compares the lists. */
  readonly isWatched?: (() => boolean) | undefined
  /** Called with all that differ, or could not be read. */
  readonly onChanged: (kinds: ReadonlyArray<Kind.Kind>) => void
  /** Called with each whole list. */
  readonly onRead?: ((method: ListMethod, pages: ReadonlyArray<ListState.Page>) => void) | undefined
}

export type ListWatch = ReturnType<typeof make>

export const make = ({ isWatched, onChanged, onRead, schemaOf, target }: Options) => {
  const known = new Map<ListMethod, ListState.ListState>()
  const due = new Set<ListMethod>()
  const wanted = Effect.unsafeMakeLatch()
  let unannounced: Hearing["unannounced"] = []
  /** Open while no notifications arrive. */
  const deaf = Effect.unsafeMakeLatch()

  const isConnected = (): boolean => {
    const backend = target.backend()
    return backend !== undefined && Handle.stateOf(backend) === "Connected"
  }
  const want = (methods: Iterable<ListMethod>): void => {
    for (const method of methods) due.add(method)
    if (due.size > 0) wanted.unsafeOpen()
  }
  /** Reads the lists that the client has read again. If that is being done, it is done once more. */
  const compare = (): void => {
    if (isWatched?.() !== true) want(known.keys())
  }

  /** As far as the client has read it. */
  const differs = (method: ListMethod): Effect.Effect<boolean> => {
    const before = known.get(method)
    if (before === undefined) return Effect.succeed(false)
    const most = before.isWhole ? undefined : before.count
    let after = ListState.none
    const pages: Array<ListState.Page> = []
    const ask = (cursor: string | undefined): Effect.Effect<ListState.Page, unknown> => {
      const params = cursor === undefined ? {} : { cursor }
      return Effect.catchIf(
        target.use((backend) => backend.request(method, params, { resultSchema: schemaOf(method) as never })),
        (error) => Predicate.hasProperty(error, "code") && error.code === JsonRpc.methodNotFound,
        () => Effect.succeed({})
      ) as Effect.Effect<ListState.Page, unknown>
    }
    const take = (page: ListState.Page): boolean => {
      after = ListState.and(after, lists[method], TaskMarks.list(page), most)
      if (onRead !== undefined) pages.push(page)
      return most === undefined || onRead !== undefined || after.count < most
    }
    const note = (after: ListState.ListState): boolean => {
      if (known.get(method) === before) {
        known.set(method, after)
        return ListState.differs(before, after)
      }
      // The client has read it meanwhile.
      if (known.has(method)) want([method])
      return false
    }
    return Effect.match(Listing.readPages(lists[method], maxPages, ask, take), {
      // If it is lost, the next connection is asked.
      onFailure: () => isConnected() && note({ ...before, isDoubtful: true }),
      onSuccess: (ending) => {
        if (ending === "whole" || ending === "repeated") onRead?.(method, pages)
        return note(after)
      }
    })
  }

  const comparing = Effect.gen(function*() {
    yield* wanted.await
    wanted.unsafeClose()
    const methods = [...due]
    due.clear()
    // The next connection is compared anyway.
    if (!isConnected()) return
    const differing = yield* Effect.filter(methods, differs)
    if (differing.length > 0) onChanged(differing.map((method) => lists[method]))
  })
  const timesToLive = (): ReadonlyArray<number> =>
    [...known].flatMap(([method, { timeToLive }]) => unannounced.includes(lists[method]) ? timeToLive ?? [] : [])
  const polling = Effect.gen(function*() {
    yield* deaf.await
    yield* Freshness.pollPause((draw) => Freshness.pollAfter(timesToLive(), undefined, draw))
    if (unannounced.length > 0) compare()
  })

  return {
    given: (method: string, params: unknown, page: unknown): void => {
      if (!isList(method) || !Predicate.isRecord(page)) return
      const cursor = Predicate.isRecord(params) ? params["cursor"] : undefined
      const before = (cursor === undefined ? undefined : known.get(method)) ?? ListState.none
      if (before.next === cursor) known.set(method, ListState.and(before, lists[method], TaskMarks.list(page)))
    },
    forget: (): void => {
      known.clear()
      due.clear()
    },
    heard: (hearing: Hearing): void => {
      unannounced = hearing.unannounced
      if (hearing.announced.length > 0) compare()
      if (unannounced.length > 0) deaf.unsafeOpen()
      else deaf.unsafeClose()
    },
    compare,
    work: Effect.zipRight(Effect.fork(Effect.forever(polling)), Effect.forever(comparing))
  }
}
