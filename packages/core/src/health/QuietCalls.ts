/** What happens to a silent call, in order, until the verdict on its server. (V3, C14) */
import { Deferred, Effect } from "effect"
import type { Loss } from "../port/Loss.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { InFlight } from "../runtime/Traffic.js"
import { pendingCommand } from "../state/Message.js"
import * as Liveness from "./Liveness.js"
import * as Probes from "./Probes.js"

type Self = Liveness.Liveness

/** Milliseconds between looks, and between questions for a held call. */
const tick = 1000
/** Milliseconds after which a call is quiet, if its server is, too. */
const quiet = 2000
/** Ticks of an examination: all, until a list is asked for, and until the silence of a session counts. */
const [whole, late, enough] = [6, 2, 4]
/** Milliseconds until the same quiet calls cause another; it doubles. */
const [shortestPause, longestPause] = [2000, 15_000]
/** Milliseconds that a watch outlasts the calls. */
const linger = 30_000
/** Milliseconds for a silent session to answer, once a new one is ready. */
const lastPause = 1000

export const attach = (self: Self, runtime: Runtime): void => {
  const used = (): void => {
    if (!runtime.isHeld && !canTell(self, runtime)) return
    runtime.onUsed = undefined
    self.backend.send({ _tag: "Used", runtime })
  }
  runtime.onUsed = used
  if (runtime.traffic.inFlight > 0 || runtime.isHeld) used()
}

const canTell = (self: Self, { connection: { look, sessionId, stateful } }: Runtime): boolean =>
  look !== undefined || (stateful && sessionId !== undefined && mayAsk(self))

const mayAsk = ({ backend }: Self): boolean => backend.policy.keepalive.method !== "none"

export const begin = (self: Self, runtime: Runtime): Effect.Effect<void> => {
  const { backend } = self
  let examinedAt = Number.NEGATIVE_INFINITY
  let pause = shortestPause
  const isDue = (now: number): boolean => {
    if (runtime.isHeld) return true
    if (!canTell(self, runtime)) return false
    const calls = [...runtime.calls].filter(({ budget: { heardAt, questions } }) =>
      questions === 0 && now - Math.max(heardAt, runtime.traffic.answeredAt) >= quiet
    )
    const hasNew = calls.some(({ budget }) => budget.heardAt > examinedAt)
    if (!hasNew && (calls.length === 0 || now < examinedAt + pause)) return false
    pause = hasNew ? shortestPause : Math.min(2 * pause, longestPause)
    return true
  }
  const turn = Effect.suspend(() => {
    const now = backend.now()
    if (!isDue(now)) return Effect.void
    examinedAt = now
    return examine(self, runtime)
  })
  const isOver = () =>
    runtime.traffic.inFlight === 0 && !runtime.isHeld && backend.now() - runtime.traffic.usedAt >= linger
  const watch = Effect.repeat(Effect.delay(turn, tick), { until: isOver })
  return Effect.asVoid(runtime.fork(Effect.zipRight(watch, Effect.sync(() => attach(self, runtime)))))
}

const examine = Effect.fnUntraced(function*(self: Self, runtime: Runtime) {
  const { answers } = runtime.traffic
  const at = self.backend.now()
  const calls = [...runtime.calls]
  const hasNews = ({ budget }: InFlight) => budget.heardAt > at || budget.questions > 0
  const hasAnswered = () => runtime.traffic.answers !== answers
  const isSilent = () => !hasAnswered() && !calls.some((one) => runtime.calls.has(one) && hasNews(one))
  let isRefused = false
  const ask = Effect.zipRight(
    runtime.fork(Effect.map(Probes.check(self, runtime), (found) => {
      isRefused ||= found === "refused"
    })),
    Effect.sync(() => Liveness.asked(self, runtime))
  )
  // A stopped process would carry it out once it continues.
  const isStopped = yield* Liveness.look(self, runtime)
  const isAsked = runtime.isHeld || (!isStopped && mayAsk(self))
  if (isAsked) yield* ask
  for (let i = 1; i <= whole; i++) {
    yield* Effect.sleep(tick)
    if (hasAnswered()) return
    if (!runtime.isHeld && i % 2 === 1) continue
    yield* Liveness.look(self, runtime)
    if (hasAnswered()) return
    if (runtime.isHeld) yield* ask
    if (i === late && isAsked) yield* runtime.fork(Probes.besidePing(self, runtime))
    if (Liveness.isLost(self, runtime, { kind: "health", message: "it does not live" })) return
    const { look } = runtime.connection
    if (look !== undefined || isRefused || !isSilent() || !self.backend.temperament.known.isConcurrent) continue
    if (Liveness.silenceOf(self, runtime) === undefined) Liveness.note(self, runtime, { unanswered: "probe" })
    if (i >= enough && canTell(self, runtime)) return yield* replaceSilent(self, runtime, isSilent)
  }
})

/** Shows whether only this session is dead, or the server hangs. (V3) */
const replaceSilent = (self: Self, runtime: Runtime, isSilent: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { policy: { health }, published } = self.backend
    if (self.besideOf === runtime || published.value.verdict?.kind === "wedged") return Effect.void
    self.besideOf = runtime
    const pending = pendingCommand("Reconnect")
    // Earlier questions may have been lost with the network.
    let isRefused = false
    const asked = Effect.map(Probes.ask(self, runtime), (error) => {
      isRefused = error !== undefined && error.reason !== "timeout"
    })
    const askAgain = Effect.asVoid(Effect.timeoutOption(asked, lastPause))
    const loss = (): Loss | undefined => {
      if (isRefused || !isSilent()) return undefined
      const { kind, reason } = Liveness.verdictOn(self, runtime, { isAnsweredBeside: true })
      return kind === "wedged" && health.enforce ? { kind: "health", message: reason } : undefined
    }
    self.backend.send({ _tag: "Doubted", doubt: { runtime, askAgain, loss, isRefusing: false }, pending })
    const over = Effect.sync(() => {
      if (self.besideOf === runtime) self.besideOf = undefined
    })
    return Effect.asVoid(runtime.fork(Effect.ensuring(Effect.exit(Deferred.await(pending.answer)), over)))
  })
