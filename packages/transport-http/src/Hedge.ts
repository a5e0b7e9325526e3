/**
 * A first request (`initialize`, `server/discover`, the GET of SSE) that has no answer is sent again beside itself: what was sent into a network
 * that is gone, or to a process that hangs, is never answered, and the next one may be. (V10)
 */
import type { ConnectOptions } from "@mcp-lifeline/core"
import { Deferred, Effect, Exit, Fiber, FiberId } from "effect"
import { type Answer, discard, header } from "./Answer.js"
import { type HttpFailure, retryAfter } from "./HttpFailure.js"

/** A request that is out. */
export type Copy = Fiber.RuntimeFiber<Answer, HttpFailure>

/** How a request is sent again. Only for one of no session, whose ids may be used once, that a server may carry out twice. */
export interface Hedge {
  /** Runs one more beside the first, where a call waits and the fleet allows it. */
  readonly beside: NonNullable<ConnectOptions["beside"]>
  /** Whether a refusal says nothing of the first: it counts where no other is answered. Default: that of a busy server. */
  readonly mayBeOurs?: ((refusal: Answer) => boolean) | undefined
  /** Gets each that has not been answered when another is, and ends it. Default: it is interrupted. */
  readonly onLoser?: ((loser: Copy) => void) | undefined
}

/** How long after one the next is sent, in milliseconds; and the longest, to a server that refuses. */
const [pause, maxPause] = [1000, 4000]

/**
 * The time is counted in parts of so many milliseconds. One that ends later than this has not passed: while this process is that busy, an answer
 * may be there that it has not read.
 */
const [part, lateness] = [250, 50]

/**
 * How many may be without an answer: the first, which a slow server may be working on; the newest, for a server that is back; and one between
 * them, for a server that is back and needs longer than a second for its first answer.
 */
const atOnce = 3

/** How long the one between them may take, in milliseconds. */
const patience = 4000

/** Whether a server may say something else when it has time. */
const isBusy = ({ status }: Answer): boolean => status >= 500 || status === 408 || status === 425 || status === 429

/**
 * The first answer to a request, which is sent again each second while it has none and `beside` allows it. The first request is never given up.
 * A failure of one of them counts when no other may be answered.
 *
 * `send` sends one, on a socket of its own unless it `isFirst`, and ends what it has begun when it is interrupted.
 */
export const send = (
  { beside, mayBeOurs = isBusy, onLoser }: Hedge,
  send: (isFirst: boolean) => Effect.Effect<Answer, HttpFailure>
): Effect.Effect<Answer, HttpFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      const now = () => clock.unsafeCurrentTimeMillis()
      const first = Deferred.unsafeMake<Answer, HttpFailure>(FiberId.none)
      /** Those without an answer, the oldest first, and when each was sent. */
      const copies = new Map<Copy, number>()
      let isOver = false
      let refusal: Answer | undefined
      let refusals = 0
      let notBefore = 0

      const finish = (exit: Exit.Exit<Answer, HttpFailure>): void => {
        isOver = true
        Deferred.unsafeDone(first, exit)
      }
      const refused = (answer: Answer): void => {
        if (refusal !== undefined) discard(refusal.body)
        refusal = answer
        const asked = retryAfter(header(answer, "retry-after"), now()) ?? 0
        notBefore = now() + Math.max(asked, Math.min(pause * 2 ** ++refusals, maxPause))
      }
      const ended = (copy: Copy, exit: Exit.Exit<Answer, HttpFailure>): void => {
        const [oldest] = copies.keys()
        copies.delete(copy)
        if (Exit.isFailure(exit)) {
          if (copies.size === 0) finish(refusal === undefined ? exit : Exit.succeed(refusal))
        } else if (copy !== oldest && mayBeOurs(exit.value)) refused(exit.value)
        else {
          if (refusal !== undefined) discard(refusal.body)
          finish(exit)
        }
      }
      const begin = (isFirst: boolean) =>
        Effect.map(Effect.forkDaemon(Effect.interruptible(send(isFirst))), (copy) => {
          copies.set(copy, now())
          copy.addObserver((exit) => {
            if (!copies.has(copy)) return
            if (isOver) lose(copy)
            else ended(copy, exit)
          })
          return copy
        })
      const giveUp = (copy: Copy): void => {
        copies.delete(copy)
        copy.addObserver((exit) => Exit.isSuccess(exit) ? discard(exit.value.body) : undefined)
        copy.unsafeInterruptAsFork(FiberId.none)
      }
      const lose = (copy: Copy): void => {
        if (onLoser === undefined) return giveUp(copy)
        copies.delete(copy)
        onLoser(copy)
      }
      const makeRoom = (): void => {
        const [, second, newest] = [...copies.keys()]
        if (second === undefined || newest === undefined) return
        giveUp(now() - copies.get(second)! >= patience ? second : newest)
      }
      const one = Effect.uninterruptibleMask((interruptibly) =>
        Effect.suspend(() => {
          if (isOver || now() < notBefore) return Effect.void
          if (copies.size >= atOnce) makeRoom()
          return Effect.flatMap(begin(false), (copy) => interruptibly(Fiber.await(copy)))
        })
      )
      const passed = Effect.gen(function*() {
        for (let left = pause; left > 0;) {
          const due = now() + part
          yield* Effect.sleep(part)
          if (now() - due <= lateness) left -= part
        }
      })
      const more = Effect.forever(Effect.zipRight(passed, Effect.forkDaemon(Effect.interruptible(beside(one)))))

      yield* begin(true)
      const sending = yield* Effect.forkDaemon(Effect.interruptible(more))
      return yield* Effect.onExit(restore(Deferred.await(first)), (exit) =>
        Effect.sync(() => {
          isOver = true
          sending.unsafeInterruptAsFork(FiberId.none)
          for (const copy of copies.keys()) {
            if (Exit.isSuccess(exit)) lose(copy)
            else giveUp(copy)
          }
          if (Exit.isFailure(exit) && refusal !== undefined) discard(refusal.body)
        }))
    })
  )
