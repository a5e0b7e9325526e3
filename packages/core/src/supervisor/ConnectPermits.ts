/** How many attempts of a fleet may be under way at once. Effect's Semaphore wakes all at each release: the square of the backends lost at once. */
import { Effect, type Option } from "effect"
import { constTrue } from "effect/Function"

/** An attempt that takes longer than two seconds gives its permit back and goes on. */
export interface ConnectPermits {
  /** `isAwaited`: somebody waits for the attempt now. Must not throw. */
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>, isAwaited: () => boolean) => Effect.Effect<A, E, R>
  /** With a permit of its own; nothing where none is free. */
  readonly beside: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
}

/** Milliseconds. */
export const permitHold = 2000

export const unbounded: ConnectPermits = { withPermit: (attempt) => attempt, beside: Effect.asSome }

/** Permits wanted only once something has ended. That wait counts for no attempt. */
export const after = (ended: Effect.Effect<void>, permits: ConnectPermits): ConnectPermits => ({
  withPermit: (attempt, isAwaited) => Effect.zipRight(ended, permits.withPermit(attempt, isAwaited)),
  beside: permits.beside
})

interface Turn {
  state: "waiting" | "held" | "over"
  begin: (() => void) | undefined
  readonly isAwaited: () => boolean
}

/**
 * Attempts for which somebody waits come first. A permit goes from hand to hand: Effect's semaphore wakes all at each release, which
 * costs the square of the backends that are lost at once.
 */
export const make = (count: number): ConnectPermits => {
  let free = count
  const queue: Array<Turn> = []
  const enter = (isAwaited: () => boolean): Turn => {
    const turn: Turn = { state: free > 0 ? "held" : "waiting", begin: undefined, isAwaited }
    if (free > 0) free--
    else queue.push(turn)
    return turn
  }
  const take = (): Turn | undefined => {
    while (queue[0]?.state === "over") queue.shift()
    const awaited = queue.findIndex(({ isAwaited, state }) => state === "waiting" && isAwaited())
    return awaited < 0 ? queue.shift() : queue.splice(awaited, 1)[0]
  }
  const leave = (turn: Turn): void => {
    const held = turn.state === "held"
    turn.state = "over"
    if (!held) return
    const next = take()
    if (next === undefined) free++
    else {
      next.state = "held"
      next.begin?.()
    }
  }
  const begun = (turn: Turn) =>
    Effect.async<void>((resume) => {
      if (turn.state === "held") return resume(Effect.void)
      turn.begin = () => resume(Effect.void)
    })
  const withPermit: ConnectPermits["withPermit"] = (attempt, isAwaited) =>
    Effect.uninterruptibleMask((restore) => {
      const turn = enter(isAwaited)
      const giveBack = Effect.sync(() => leave(turn))
      const watched = Effect.flatMap(
        Effect.fork(Effect.interruptible(Effect.delay(giveBack, permitHold))),
        (timer) => Effect.ensuring(restore(attempt), timer.interruptAsFork(timer.id()))
      )
      return Effect.ensuring(Effect.zipRight(restore(begun(turn)), watched), giveBack)
    })
  return {
    withPermit,
    beside: (work) => Effect.suspend(() => free > 0 ? Effect.asSome(withPermit(work, constTrue)) : Effect.succeedNone)
  }
}
