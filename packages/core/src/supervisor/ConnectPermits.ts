/** How many attempts of a fleet may be under way at once. Effect's Semaphore wakes all at each release: the square of the backends lost at once. */
import { Effect, MutableQueue, type Option } from "effect"

/** Who waits for an attempt. Must not throw. */
export interface Awaited {
  readonly isAwaited: boolean
  /** To be called when somebody comes to wait. */
  onAwaited: (() => void) | undefined
}

/** An attempt that takes longer than two seconds gives its permit back and goes on. */
export interface ConnectPermits {
  /** Attempts for which somebody waits come first. */
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>, awaited: Awaited) => Effect.Effect<A, E, R>
  /** With a permit of its own; nothing where none is free. */
  readonly beside: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
}

/** Milliseconds. */
export const permitHold = 2000

export const unbounded: ConnectPermits = { withPermit: (attempt) => attempt, beside: Effect.asSome }

/** Permits wanted only once something has ended. That wait counts for no attempt. */
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
  /** One for which somebody waits is in both. Those that wait no more are passed over. */
  const [first, all] = [MutableQueue.unbounded<Turn>(), MutableQueue.unbounded<Turn>()]
  const enter = (): Turn => {
    const turn: Turn = { state: free > 0 ? "held" : "waiting", begin: undefined }
    if (free > 0) free--
    else MutableQueue.offer(all, turn)
    return turn
  }
  const take = (): Turn | undefined => {
    for (const queue of [first, all]) {
      let turn = MutableQueue.poll(queue, undefined)
      while (turn !== undefined && turn.state !== "waiting") turn = MutableQueue.poll(queue, undefined)
      if (turn !== undefined) return turn
    }
    return undefined
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
  const begun = (turn: Turn, awaited: Awaited) => {
    const come = Effect.async<void>((resume) => {
      if (turn.state === "held") return resume(Effect.void)
      turn.begin = () => resume(Effect.void)
      const hurry = awaited.onAwaited = () => {
        if (!awaited.isAwaited) return
        awaited.onAwaited = undefined
        MutableQueue.offer(first, turn)
      }
      hurry()
    })
    // They lead to the fiber, which a queue or the backend would keep.
    const forget = Effect.sync(() => {
      awaited.onAwaited = undefined
      turn.begin = undefined
    })
    return Effect.ensuring(come, forget)
  }
  const withPermit: ConnectPermits["withPermit"] = (attempt, awaited) =>
    Effect.uninterruptibleMask((restore) => {
      const turn = enter()
      const giveBack = Effect.sync(() => leave(turn))
      const watched = Effect.flatMap(
        Effect.fork(Effect.interruptible(Effect.delay(giveBack, permitHold))),
        (timer) => Effect.ensuring(restore(attempt), timer.interruptAsFork(timer.id()))
      )
      return Effect.ensuring(Effect.zipRight(restore(begun(turn, awaited)), watched), giveBack)
    })
  return {
    withPermit,
    beside: (work) =>
      Effect.suspend(() =>
        free > 0
          ? Effect.asSome(withPermit(work, { isAwaited: false, onAwaited: undefined }))
          : Effect.succeedNone
      )
  }
}
