/** In the state folder, with that of other processes. */
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Option, type Scope } from "effect"
import * as SessionRecords from "./SessionRecords.js"

const store = (folder: StateFolder["Type"], limits: SessionRecords.Limits): SessionRecords.RecordStore => {
  const records = folder.collection("sessions", SessionRecords.Record)
  const floors = folder.collection("sessions-ended", SessionRecords.Floor)
  const alone = Effect.unsafeMakeSemaphore(1).withPermits(1)
  /** Least recently used first. */
  let kept = new Map<string, SessionRecords.Share>()

  const keep = (name: string, share: SessionRecords.Share): void => {
    kept.delete(name)
    kept.set(name, share)
  }
  const floorOf = (owner: string) => owner === "" ? "floor" : owner
  const endedBefore = (owner: string) =>
    Effect.map(floors.get(floorOf(owner)), (floor) => Option.getOrUndefined(floor)?.endedBefore ?? 0)
  const raise = ([owner, to]: readonly [string, number]) =>
    Effect.flatMap(
      endedBefore(owner),
      (now) => to > now ? floors.set(floorOf(owner), { endedBefore: to }) : Effect.void
    )
  const makeRoom = Effect.gen(function*() {
    const { floors, names } = SessionRecords.excess(kept, limits)
    yield* Effect.forEach(floors, raise, { discard: true })
    yield* Effect.forEach(names, (name) => {
      kept.delete(name)
      return records.remove(name)
    }, { discard: true })
  })
  return {
    endedBefore,
    read: (name) =>
      Effect.catchAll(Effect.map(records.read(name), Option.getOrUndefined), (failure) =>
        failure.isForeign === true
          // It will never say anything. This warns.
          ? Effect.map(records.get(name), Option.getOrUndefined)
          : Effect.zipRight(Effect.logWarning(`a session waits for its record: ${failure.message}`), failure)),
    write: (name, record) =>
      alone(Effect.gen(function*() {
        if (kept.get(name)?.floor !== undefined && record.hasEnded !== true) return
        keep(name, SessionRecords.shareOf(record))
        const isWritten = yield* records.set(name, record)
        yield* makeRoom
        if (!isWritten) return yield* Effect.fail("not written")
      })),
    clean: Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const before = new Map(kept)
      const found = (yield* records.entries).toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
      yield* alone(Effect.gen(function*() {
        const since = [...kept].filter(([name, share]) => before.get(name) !== share)
        const isOld = ([, { usedAt }]: (typeof found)[number]) => now - usedAt > SessionRecords.lifetime
        kept = new Map(found.map(([name, record]) => [name, SessionRecords.shareOf(record)]))
        for (const [name] of found.filter(isOld)) kept.delete(name)
        for (const one of since) keep(...one)
        yield* Effect.forEach(found, ([name]) => kept.has(name) ? Effect.void : records.remove(name), { discard: true })
        yield* makeRoom
      }))
    })
  }
}

export const make = (
  folder: StateFolder["Type"],
  limits: SessionRecords.Limits = SessionRecords.defaultLimits
): Effect.Effect<SessionRecords.SessionRecords, never, Scope.Scope> =>
  SessionRecords.make(store(folder, limits), limits)
