/** Attempts of a fleet at once; awaited ones come first, which Effect's Semaphore does not know. */
import { Effect, MutableQueue, type Option } from "effect"

/** Whether a caller waits for the attempt. Must not throw. */
export interface Awaited {
  readonly isAwaited: boolean
  onAwaited: (() => void) | undefined
}

/** An attempt that takes longer than two seconds gives its permit back and goes on. */
export interface ConnectPermits {
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>, awaited: Awaited) => Effect.Effect<A, E, R>
  /** With a permit of its own; nothing where none is free. */
  readonly beside: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
}

export const permitHold = 2000

export const unbounded: ConnectPermits = { withPermit: (attempt) => attempt, beside: Effect.asSome }

/** Wanted only once something has ended, which counts for no attempt. */
export const after = (ended: Effect.Effect<void>, permits: ConnectPermits): ConnectPermits => ({
  withPermit: (attempt, awaited) => Effect.zipRight(ended, permits.withPermit(attempt, awaited)),
  beside: permits.beside
})

interface Turn {
  state: "waiting" | "held" | "over"
  begin: (() => void) | undefined
}

export const make = (count: number): ConnectPermits => {
  let free = count
  /** Awaited ones are in both. Those that wait no more are passed over. */
  const [first, all] = [MutableQueue.unbounded<Turn>(), MutableQueue.unbounded<Turn>()]
  const take = (): Turn | undefined => {
    for (;;) {
      const turn = MutableQueue.poll(first, undefined) ?? MutableQueue.poll(all, undefined)
      if (turn === undefined || turn.state === "waiting") return turn
    }
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
  const begun = (turn: Turn, awaited: Awaited) =>
    Effect.async<void>((resume) => {
      if (turn.state === "held") return resume(Effect.void)
      turn.begin = () => resume(Effect.void)
      const hurry = awaited.onAwaited = () => {
        if (!awaited.isAwaited) return
        awaited.onAwaited = undefined
        MutableQueue.offer(first, turn)
      }
      hurry()
    })
  const withPermit: ConnectPermits["withPermit"] = (attempt, awaited) =>
    Effect.uninterruptibleMask((restore) => {
      const turn: Turn = { state: free > 0 ? "held" : "waiting", begin: undefined }
      if (free > 0) free--
      else MutableQueue.offer(all, turn)
      const giveBack = Effect.sync(() => {
        // They keep the fiber.
        turn.begin = undefined
        awaited.onAwaited = undefined
        leave(turn)
      })
      const watched = Effect.flatMap(
        Effect.fork(Effect.interruptible(Effect.delay(giveBack, permitHold))),
        (timer) => Effect.ensuring(restore(attempt), timer.interruptAsFork(timer.id()))
      )
      return Effect.ensuring(Effect.zipRight(restore(begun(turn, awaited)), watched), giveBack)
    })
  const nobody = (): Awaited => ({ isAwaited: false, onAwaited: undefined })
  const now = <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.asSome(withPermit(work, nobody()))
  return { withPermit, beside: (work) => Effect.suspend(() => free > 0 ? now(work) : Effect.succeedNone) }
}
