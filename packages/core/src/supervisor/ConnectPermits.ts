/**
 * How many attempts of a fleet may be under way at once.
 */
import { Effect } from "effect"

/** Bounds attempts. An attempt that takes longer than two seconds gives its permit back and goes on. */
export interface ConnectPermits {
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** How long an attempt may hold its permit, in milliseconds. */
export const permitHold = 2000

/** No bound: what a backend on its own has. */
export const unbounded: ConnectPermits = { withPermit: (attempt) => attempt }

/** Permits that are asked for only when something has ended. The wait for that counts for no attempt. */
export const after = (ended: Effect.Effect<void>, permits: ConnectPermits): ConnectPermits => ({
  withPermit: (attempt) => Effect.zipRight(ended, permits.withPermit(attempt))
})

/** An attempt that waits for its permit, holds it, or has given it back. */
interface Turn {
  state: "waiting" | "held" | "over"
  begin: (() => void) | undefined
}

/**
 * At most `count` attempts that are younger than two seconds, in the order in which they came.
 *
 * A permit goes from hand to hand. Effect's semaphore wakes everybody who waits at each release, which costs the square of
 * the backends that are lost at once.
 */
export const make = (count: number): ConnectPermits => {
  let free = count
  const queue: Array<Turn> = []
  const enter = (): Turn => {
    const turn: Turn = { state: free > 0 ? "held" : "waiting", begin: undefined }
    if (free > 0) free--
    else queue.push(turn)
    return turn
  }
  const leave = (turn: Turn): void => {
    const held = turn.state === "held"
    turn.state = "over"
    if (!held) return
    let next = queue.shift()
    while (next?.state === "over") next = queue.shift()
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
  return {
    withPermit: (attempt) =>
      Effect.uninterruptibleMask((restore) => {
        const turn = enter()
        const giveBack = Effect.sync(() => leave(turn))
        const watched = Effect.flatMap(
          Effect.fork(Effect.interruptible(Effect.delay(giveBack, permitHold))),
          (timer) => Effect.ensuring(restore(attempt), timer.interruptAsFork(timer.id()))
        )
        return Effect.ensuring(Effect.zipRight(restore(begun(turn)), watched), giveBack)
      })
  }
}
