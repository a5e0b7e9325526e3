/** Carries out what `decide` says. */
import { Effect, Exit, Option } from "effect"
import { constant } from "effect/Function"
import { type CallError, isGone, isObjection, type RequestError } from "../Errors.js"
import { suspect } from "../health/Probes.js"
import { settle } from "../health/SessionCheck.js"
import * as Budget from "../port/Budget.js"
import type { Runtime } from "../runtime/Runtime.js"
import { after, type Call, type Calls, later, type Next } from "./Call.js"
import { toCallError } from "./CallFailure.js"
import { afterDoubt, decide, type Facts, isLost, isMisuse } from "./decide.js"
import * as ToolHints from "./ToolHints.js"
import * as Waiting from "./Waiting.js"

export const recover = (self: Calls, call: Call, runtime: Runtime, error: RequestError): Next => {
  if (error.ifSessionLost === undefined) return follow(self, call, runtime, error)
  // First: whether the server has forgotten the session. (R12)
  const settling = self.backend.before(call.budget.deadline, settle(self.liveness, runtime, error))
  return later(Effect.map(settling, (settled) => {
    const session = Option.getOrElse(settled, constant("unknown" as const))
    if (session === "alive" && isGone(error)) call.refusedBeside++
    return follow(self, call, runtime, afterDoubt(error, session, call.refusedBeside, factsOf(self, call, runtime)))
  }))
}

const factsOf = (self: Calls, call: Call, runtime: Runtime): Facts => {
  const { calls } = self.backend.policy
  return {
    generation: runtime.generation,
    mayRepeat: ToolHints.mayRepeat(self, call, runtime),
    trustsRefusals: calls.afterRefusal === "resend",
    retries: (call.tool?.retry ?? calls.retry) === "safe"
  }
}

const follow = (self: Calls, call: Call, runtime: Runtime, failure: RequestError): Next => {
  const facts = factsOf(self, call, runtime)
  const { again, error, harmless, isSuspicious, tally, times } = decide(failure, call.tally, facts)
  call.tally = tally
  call.isDoubtful = error.fate === "unknown" || error.fate === "answered"
  const failed = fail(self, error, call.ask.method, runtime, Budget.limit(call.budget), harmless, times)
  const suspicion = isSuspicious ? suspect(self.liveness, runtime, error.reason === "timeout") : Effect.void
  if (again === "no") return isSuspicious ? later(Effect.as(suspicion, failed)) : failed
  const gone = isLost(error)
  const wait = gone ? Waiting.forCall(self, call, runtime) : pause(self, call, runtime, error, failed)
  const waits = again === "yes" || gone
  if (error.fate === "unknown") {
    call.undecided = { failed: runtime, readOn: undefined, pause: waits ? undefined : wait, fail: failed }
  }
  return after(waits ? Effect.zipRight(suspicion, wait) : suspicion)
}

/** Ends where the server answers again, unless it did during the last one: then it means this call. */
const pause = (
  self: Calls,
  call: Call,
  runtime: Runtime,
  error: RequestError,
  failed: Exit.Exit<never, CallError>
): Effect.Effect<void, CallError> => {
  const { backend } = self
  const { demandInterval, maxDelay } = backend.policy.reconnect
  const delay = error.retryAfter || Math.min(maxDelay, demandInterval * 2 ** (call.tally.sent - 1))
  const end = backend.now() + delay
  const { answers } = runtime.traffic
  const since = call.refused?.since ?? backend.now()
  const { deadline } = call.budget
  const last = delay === error.retryAfter ? Waiting.patience(self, call, deadline, since) : deadline
  if (end >= last) return failed
  const answersOthers = call.refused?.by === runtime && call.refused.answers !== answers
  call.refused = { by: runtime, answers, since }
  if (answersOthers || isObjection(error)) return backend.sleepUntil(end)
  const isBack = () => runtime.detached || runtime.traffic.answers !== answers
  const back = Effect.zipRight(runtime.hold(isBack), backend.sleepUntil(backend.now() + demandInterval))
  return Effect.asVoid(backend.before(end, back))
}

export const fail = (
  { backend }: Calls,
  error: RequestError,
  method: string,
  runtime: Runtime,
  timeout: number,
  harmless = false,
  times?: number
): Exit.Exit<never, CallError> => {
  if (isMisuse(error)) return Exit.die(error.cause ?? error)
  const { current, lastError, state, verdict } = backend.published.value
  const evidence = current === runtime ? verdict?.reason : undefined
  const about = { backend: backend.id, generation: runtime.generation, method, timeout, state, lastError, evidence }
  return Exit.fail(toCallError(error, { ...about, harmless, times }))
}
