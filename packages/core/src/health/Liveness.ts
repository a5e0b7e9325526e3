/** What is held against a server, and how it is asked. `judge` decides whether it lives. */
import { type Deferred, Effect } from "effect"
import { isObjection, RequestError } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import type { Loss } from "../port/Loss.js"
import type { Method, Params, Result } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Health from "../state/Health.js"
import type { PendingCommand } from "../state/Message.js"
import { counting } from "../state/Slot.js"
import { judge, type Verdict } from "./judge.js"
import * as Machine from "./Machine.js"
import * as Sights from "./Sights.js"
import type { Server } from "./together.js"

export type Silence = "call" | "probe"

export interface Suspicion {
  readonly runtime: Runtime
  readonly answers: number
  readonly beganAt: number
  readonly sights: Sights.Sights
  readonly isAsked?: boolean
  readonly unanswered?: Silence | undefined
  readonly isProbed?: boolean
}

/** Goes on after an answer if a new suspicion came before its next look. */
export interface Probing {
  readonly runtime: Runtime
  /** Answers before a suspend of the machine: without more, a failure decides. (R11) */
  readonly decidesAt: number | undefined
}

export interface SessionCheck {
  readonly runtime: Runtime
  readonly asked: Deferred.Deferred<"given" | "refused" | "neither">
  readonly replaced: PendingCommand
}

export const make = (backend: BackendState) => ({
  backend,
  /** `undefined`: every silence is the server's. */
  machine: undefined as Machine.Machine | undefined,
  origin: backend.id,
  suspicion: undefined as Suspicion | undefined,
  probing: undefined as Probing | undefined,
  hasLeftPing: false,
  sessionCheck: undefined as SessionCheck | undefined,
  refusals: [] as ReadonlyArray<RequestError>,
  /** A refused list means a lost session. */
  isEvidence: true,
  evidenceFrom: 0,
  /** A new session is being made beside its silent one. */
  besideOf: undefined as Runtime | undefined,
  heardAt: Number.NEGATIVE_INFINITY
})

export type Liveness = ReturnType<typeof make>

const kinds = ["tools", "prompts", "resources"] as const

export type List = `${(typeof kinds)[number]}/list`

/** Every live session answers. */
export const listOf = ({ capabilities }: Connection): List | undefined => {
  const kind = kinds.find((kind) => capabilities[kind] !== undefined)
  return kind && `${kind}/list`
}

export const isSignOfLife = (error: RequestError): boolean => error.fate === "answered" || isObjection(error)

const replaced = new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" })

/** Guard and send are one step. (K9) */
export const guarded = <A>(
  mayAsk: () => boolean,
  timeout: number,
  ask: () => Effect.Effect<A, RequestError>
): Effect.Effect<A, RequestError> =>
  withDeadline(
    Effect.suspend(() => {
      if (!mayAsk()) return Effect.fail(replaced) // guard: no-heartbeat-after-detach
      return ask()
    }),
    timeout
  )

export const send = <M extends Method>(
  { backend }: Liveness,
  runtime: Runtime,
  method: M,
  params: Params<M>,
  timeout = backend.policy.keepalive.timeout,
  mayAsk = () => backend.isCurrent(runtime)
): Effect.Effect<Result<M>, RequestError> =>
  Effect.suspend(() => {
    const { oldest } = runtime
    const answered = Effect.sync(() => {
      if (!mayAsk()) return
      if (method === "ping") backend.temperament.answeredPing()
      runtime.answered(backend.now(), oldest)
    })
    const asked = guarded(mayAsk, timeout, () => Sending.ask(runtime.connection, method, params, { timeout }))
    return Effect.tapBoth(asked, {
      onSuccess: () => answered,
      onFailure: (error) => isSignOfLife(error) ? answered : Effect.void
    })
  })

export const record = ({ backend }: Liveness, ok: boolean): void =>
  backend.update((slot) => {
    const history = Health.record(slot.history, ok)
    return history === slot.history ? slot : { ...slot, history }
  })

export const heard = (self: Liveness, runtime: Runtime, now: number): void => {
  if (now - self.heardAt < Health.pace || !self.backend.isCurrent(runtime.latest)) return
  self.heardAt = now
  record(self, true)
}

export const suspicionOf = ({ suspicion }: Liveness, runtime: Runtime): Suspicion | undefined =>
  suspicion?.runtime === runtime && suspicion.answers === runtime.traffic.answers ? suspicion : undefined

export const note = (self: Liveness, runtime: Runtime, news?: Partial<Suspicion>): Suspicion => {
  const now = self.backend.now()
  const begun = { runtime, answers: runtime.traffic.answers, beganAt: now, sights: Sights.begin(now) }
  const suspicion = { ...(suspicionOf(self, runtime) ?? begun), ...news }
  if (self.backend.isCurrent(runtime)) self.suspicion = suspicion
  return suspicion
}

/** Returns whether a process is stopped. */
export const look = (self: Liveness, runtime: Runtime): Effect.Effect<boolean> => {
  const { look } = runtime.connection
  if (look === undefined) return Effect.succeed(false)
  return Effect.map(Effect.catchAllCause(look, () => Effect.succeed(undefined)), (sight) => {
    const now = self.backend.now()
    const { isAsked = false, sights } = note(self, runtime)
    const taken = { silentFor: now - runtime.traffic.answeredAt, isAsked }
    note(self, runtime, { sights: Sights.add(sights, sight, now, taken) })
    return sight?.isStopped === true
  })
}

export const asked = (self: Liveness, runtime: Runtime): void => {
  if (note(self, runtime).sights.last !== undefined) note(self, runtime, { isAsked: true })
}

export const silenceOf = (self: Liveness, runtime: Runtime): Silence | undefined => {
  const unanswered = suspicionOf(self, runtime)?.unanswered
  if (unanswered !== "call") return unanswered
  const { published, temperament } = self.backend
  return temperament.known.ignoresPings || published.value.keepalive.breaker?.reason === "timeout" ? "probe" : "call"
}

/** For its fleet. */
export const seen = (self: Liveness): Server | undefined => {
  const { current } = self.backend.published.value
  if (current === undefined) return undefined
  const { answeredAt, failures } = current.traffic
  const suspicion = suspicionOf(self, current)
  const isAsked = suspicion?.isProbed === true || failures.count > 0
  return { origin: self.origin, silentSince: isAsked ? suspicion?.beganAt : undefined, answeredAt }
}

const unknown = { isPatienceOver: false, isSilent: true, isAnsweredBeside: false, isRefusing: false }

/** `askedAt`: when the last question without an answer was asked. */
type Known = Partial<typeof unknown> & { readonly askedAt?: number }

export const verdictOn = (self: Liveness, runtime: Runtime, given: Known = {}): Verdict => {
  const { health: { busyLimit }, keepalive: { failureThreshold, suspectInterval } } = self.backend.policy
  const { beganAt, sights: { activity, since, workedAt } } = note(self, runtime)
  const now = self.backend.now()
  const { askedAt = now, isPatienceOver, ...known } = { ...unknown, ...given }
  const found = judge({
    ...known,
    activity,
    seenFor: now - since,
    isConcurrent: self.backend.temperament.known.isConcurrent,
    isAwaited: runtime.traffic.workedOn !== undefined,
    unawaitedFor: now - (runtime.traffic.abandonedAt ?? beganAt),
    isPatienceOver: isPatienceOver && now - workedAt >= failureThreshold * suspectInterval,
    busyLimit
  })
  const verdict = found.onSilence === true ? together(self, found, askedAt) : found
  if (verdict.kind !== "unknown" || activity !== undefined || isPatienceOver) show(self, runtime, verdict)
  return verdict
}

/** What falls silent together is not judged one by one. (V11) */
const together = (self: Liveness, verdict: Verdict, askedAt: number): Verdict => {
  const { backend: { policy: { keepalive }, published }, machine } = self
  const server = seen(self)
  if (machine === undefined || server === undefined || published.value.verdict?.kind === "wedged") return verdict
  const window = keepalive.failureThreshold * keepalive.suspectInterval
  const why = Machine.rule(machine, { ...server, silentSince: server.silentSince ?? askedAt, askedAt, window })
  return why === undefined ? verdict : { kind: "held", reason: `${why}; ${verdict.reason}` }
}

const show = ({ backend }: Liveness, runtime: Runtime, verdict: Verdict): void => {
  const { current, verdict: before } = backend.published.value
  if (current !== runtime) return
  backend.update((slot) => {
    const shown = backend.judged(verdict, before)
    return { ...counting(slot, shown, before, backend.policy), verdict: shown }
  })
  if (before !== undefined) return
  const { answers } = runtime.traffic
  const over = () => backend.update((slot) => slot.current === runtime ? { ...slot, verdict: undefined } : slot)
  runtime.when(() => runtime.traffic.answers !== answers || runtime.detached, over)
}

export const isLost = (self: Liveness, runtime: Runtime, { kind, message: what }: Loss, known?: Known): boolean => {
  const { kind: verdict, reason } = verdictOn(self, runtime, known)
  if (verdict !== "wedged" || !self.backend.policy.health.enforce) return false
  const activity = suspicionOf(self, runtime)?.sights.activity
  const message = activity === undefined ? what : `${what}; ${reason}`
  const isWedged = activity === "stopped" || activity === "still"
  self.backend.send({ _tag: "Lost", runtime, loss: { kind, message, ...(isWedged ? { isWedged } : {}) } })
  return true
}
