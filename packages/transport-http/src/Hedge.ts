/**
 * A first request (`initialize`, `server/discover`, the GET of SSE) may be lost, or slow. Probes without effects tell which, so that it is
 * sent again only if that helps. (V10)
 */
import type { ConnectOptions } from "@mcp-lifeline/core"
import { Deferred, Effect, Exit, Fiber, FiberId, Option } from "effect"
import { type Answer, discard, header } from "./Answer.js"
import { type HttpFailure, retryAfter } from "./HttpFailure.js"

export type Copy = Fiber.RuntimeFiber<Answer, HttpFailure>

/** How a request is sent again. Only for one outside a session that a server may carry out twice. */
export interface Hedge {
  /** Runs one more beside the first, where a call waits and the fleet allows it. */
  readonly beside: NonNullable<ConnectOptions["beside"]>
  /** Whether the refusal of another may be due to the first. Default: that of a busy server. */
  readonly mayBeOurs?: ((refusal: Answer) => boolean) | undefined
  /** Ends a copy that is given up, and what it leaves at a server that lives. Default: interrupts it. */
  readonly onLoser?: ((loser: Copy) => void) | undefined
}

/** Copies at most. */
const most = 3

/** Milliseconds until the first question, and for each answer. */
const [first, pace] = [250, 750]

/** So late, in milliseconds, that an answer may have been there: this process is busy. */
const lateness = 50

/** Milliseconds for other answers that come with one. */
const grace = 100

/** `unasked`: nobody waited, or this process was busy. */
type Question = "answered" | "unanswered" | "unasked"

/** Since the newest request: each question was answered; not each was asked; one had no answer. */
type Seen = "well" | "unknown" | "silent"

/** Milliseconds after which the next is sent anyway; `well`: if the server seems to work on the last, and each leaves something there. */
const patience = { any: 10_000, well: 60_000 }

const seenAfter = (seen: Seen, question: Question): Seen =>
  seen === "silent" || question === "unanswered" ? "silent" : question === "unasked" ? "unknown" : seen

/** So many milliseconds after the newest. */
const isDue = (seen: Seen, question: Question, age: number, leaves: boolean): boolean =>
  (seen === "silent" && question === "answered") || age >= (leaves && seen === "well" ? patience.well : patience.any)

/** Whether a server may answer otherwise later. */
const isBusy = ({ status }: Answer): boolean => status >= 500 || status === 408 || status === 425 || status === 429

/** A router answers so for a server that is away. */
const isRouted = ({ status }: Answer): boolean => status >= 500 || status === 404

const questionOf = (answer: Option.Option<Answer>): Question =>
  Option.isSome(answer) && !isRouted(answer.value) ? "answered" : "unanswered"

/** A failure counts when no other copy may be answered. `send` uses a socket of its own unless `isFirst`, and cleans up when interrupted. */
export const send = (
  { beside, mayBeOurs = isBusy, onLoser }: Hedge,
  probe: Effect.Effect<Answer, HttpFailure>,
  send: (isFirst: boolean) => Effect.Effect<Answer, HttpFailure>
): Effect.Effect<Answer, HttpFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      const now = () => clock.unsafeCurrentTimeMillis()
      const outcome = Deferred.unsafeMake<Answer, HttpFailure>(FiberId.none)
      /** Unanswered, oldest first. */
      const copies = new Set<Copy>()
      let sent = 0
      let sentAt = 0
      let seen: Seen = "well"
      /** The first copy is lost, as later answers show. */
      let isLost = false
      let isHeard = false
      let isOver = false
      let refusal: Answer | undefined
      let notBefore = 0

      const finish = (exit: Exit.Exit<Answer, HttpFailure>): void => {
        isOver = true
        Deferred.unsafeDone(outcome, exit)
      }
      const refused = (answer: Answer): void => {
        if (refusal !== undefined) discard(refusal.body)
        refusal = answer
        notBefore = now() + (retryAfter(header(answer, "retry-after"), now()) ?? 0)
        if (isLost && isBusy(answer)) seen = "silent"
      }
      const ended = (copy: Copy, exit: Exit.Exit<Answer, HttpFailure>): void => {
        const [oldest] = copies
        copies.delete(copy)
        if (Exit.isFailure(exit)) {
          if (copies.size === 0) finish(refusal === undefined ? exit : Exit.succeed(refusal))
        } else if (copy !== oldest && mayBeOurs(exit.value)) refused(exit.value)
        else finish(exit)
      }
      const giveUp = (copy: Copy): void => {
        copies.delete(copy)
        if (onLoser !== undefined && isHeard) return onLoser(copy)
        copy.addObserver((exit) => Exit.isSuccess(exit) ? discard(exit.value.body) : undefined)
        copy.unsafeInterruptAsFork(FiberId.none)
      }
      const begin = (isFirst: boolean): Effect.Effect<Copy> =>
        Effect.map(Effect.forkDaemon(Effect.interruptible(send(isFirst))), (copy) => {
          sent++
          sentAt = now()
          seen = "well"
          copies.add(copy)
          copy.addObserver((exit) => copies.has(copy) ? ended(copy, exit) : undefined)
          return copy
        })
      const one = Effect.uninterruptibleMask((interruptibly) =>
        Effect.suspend(() =>
          isOver ? Effect.void : Effect.flatMap(begin(false), (copy) => interruptibly(Fiber.await(copy)))
        )
      )
      const question: Effect.Effect<Question> = Effect.gen(function*() {
        const due = now() + pace
        const asked = yield* beside(Effect.timeoutOption(Effect.option(probe), pace))
        if (Option.isNone(asked) || now() > due + lateness) return "unasked"
        return questionOf(Option.flatten(asked.value))
      })
      /** Where the first is lost, and no other is sent soon. */
      const lastWord = Effect.suspend(() => {
        const isLast = isLost && copies.size === 1 && (sent === most || now() < notBefore)
        if (refusal === undefined || !isLast) return Effect.void
        const said = Exit.succeed(refusal)
        return Effect.delay(Effect.sync(() => finish(said)), grace)
      })
      const turn = Effect.gen(function*() {
        const next = now() + pace
        if (sent < most) {
          const answer = yield* question
          isHeard = answer === "answered"
          seen = seenAfter(seen, answer)
          if (now() >= notBefore && isDue(seen, answer, now() - sentAt, onLoser !== undefined)) {
            isLost ||= answer === "answered" && seen === "silent"
            yield* Effect.sleep(grace)
            yield* Effect.forkDaemon(Effect.interruptible(beside(one)))
          }
        }
        yield* lastWord
        yield* Effect.sleep(Math.max(next - now(), 0))
      })

      yield* begin(true)
      const watch = yield* Effect.forkDaemon(Effect.interruptible(Effect.delay(Effect.forever(turn), first)))
      return yield* Effect.onExit(restore(Deferred.await(outcome)), (exit) =>
        Effect.sync(() => {
          isOver = true
          isHeard ||= Exit.isSuccess(exit)
          watch.unsafeInterruptAsFork(FiberId.none)
          for (const copy of [...copies]) giveUp(copy)
          if (refusal !== undefined && !(Exit.isSuccess(exit) && exit.value === refusal)) discard(refusal.body)
        }))
    })
  )
