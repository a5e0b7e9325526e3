/**
 * How many attempts of a fleet may be under way at once.
 */
import { Effect, type Option } from "effect"
import { constTrue } from "effect/Function"

/** Bounds attempts. An attempt that takes longer than two seconds gives its permit back and goes on. */
export interface ConnectPermits {
  /** `isAwaited`: whether somebody waits for the attempt now. Must not throw. */
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>, isAwaited: () => boolean) => Effect.Effect<A, E, R>
  /** Runs what begins beside an attempt with a permit of its own; nothing where none is free. */
  readonly beside: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
}

/** How long an attempt may hold its permit, in milliseconds. */
export const permitHold = 2000

/** No bound: what a backend on its own has. */
export const unbounded: ConnectPermits = { withPermit: (attempt) => attempt, beside: Effect.asSome }

/** Permits that are asked for only when something has ended. The wait for that counts for no attempt. */
export const after = (ended: Effect.Effect<void>, permits: ConnectPermits): ConnectPermits => ({
  withPermit: (attempt, isAwaited) => Effect.zipRight(ended, permits.withPermit(attempt, isAwaited)),
  beside: permits.beside
})

/** An attempt that waits for its permit, holds it, or has given it back. */
interface Turn {
  state: "waiting" | "held" | "over"
  begin: (() => void) | undefined
  readonly isAwaited: () => boolean
}

/**
 * At most `count` attempts that are younger than two seconds: first those for which somebody waits, and each of both in the order in which they came.
 *
 * A permit goes from hand to hand. Effect's semaphore wakes everybody who waits at each release, which costs the square of
 * the backends that are lost at once.
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
  /** Takes the next turn out of the queue, and those before it that are over. */
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
