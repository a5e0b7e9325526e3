import { Cause, Effect, Predicate, type Tracer } from "effect"
import { type CallError, requestErrorOf } from "../Errors.js"
import * as Probes from "../health/Probes.js"
import * as ExactJson from "../internal/ExactJson.js"
import { Queue } from "../internal/Queue.js"
import { said } from "../observe/Said.js"
import type { CallOptions, Session } from "../options/CallOptions.js"
import * as ToolRules from "../options/Tools.js"
import type { Method, Params, Result } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import type { Runtime } from "../runtime/Runtime.js"
import { SessionState } from "../state/SessionState.js"
import * as Call from "./Call.js"
import { unavailable } from "./CallFailure.js"
import * as CallLoop from "./CallLoop.js"
import { fail } from "./FailedRequests.js"
import * as QueuedCalls from "./QueuedCalls.js"

export type Calls = Call.Calls

export const make = (
  parts: Pick<Calls, "backend" | "liveness" | "readTools" | "whole" | "isProcess">
): Calls => {
  const { calls: { concurrency, maxInFlight }, reconnect, tools } = parts.backend.policy
  const hasTurns = concurrency !== undefined || tools.some((rule) => rule.concurrency !== undefined)
  return {
    ...parts,
    tools: ToolRules.make(tools),
    sessionState: new SessionState(),
    wait: new Call.Waits(reconnect.demandInterval),
    places: new Queue(maxInFlight),
    turns: hasTurns ? new Queue(concurrency) : undefined,
    beats: { watched: new Map(), isRunning: false, asked: undefined },
    state: { successor: undefined, givenUp: 0, reading: undefined }
  }
}

/** Key in `_meta`, the same when a call is sent again. (C16) */
export const callIdKey = "mcp-lifeline/callId"

const { crypto } = globalThis as unknown as { readonly crypto: { readonly randomUUID: () => string } }

export const identified = <P>(params: P): P => {
  if (!Predicate.isRecord(params)) return params
  const { _meta: meta } = params
  if (meta !== undefined && (!Predicate.isRecord(meta) || meta[callIdKey] !== undefined)) return params
  const identifiedMeta = ExactJson.copied(meta, { ...meta, [callIdKey]: crypto.randomUUID() })
  return ExactJson.copied(params, { ...params, _meta: identifiedMeta })
}

const begun = <M extends Method>(
  self: Calls,
  method: M,
  params: Params<M>,
  options: CallOptions | undefined
): Call.Call<M> => {
  const { calls: { callId }, timeouts: { request } } = self.backend.policy
  const sent = callId && method === "tools/call" ? identified(params) : params
  const tool = ToolRules.of(self.tools, method, params)
  const call = Call.make(method, sent, options, tool, request, self.backend.now())
  QueuedCalls.begin(self, call)
  return call
}

/** `timeout` bounds the whole: waiting, the answer, and repeats. */
export const request = <M extends Method>(
  self: Calls,
  method: M,
  params: Params<M>,
  options?: CallOptions
): Effect.Effect<Result<M>, CallError> =>
  Effect.withFiberRuntime(({ currentSpan }) => observed(self, begun(self, method, params, options), currentSpan))

const observed = <M extends Method>(
  self: Calls,
  call: Call.Call<M>,
  span: Tracer.AnySpan | undefined
): Effect.Effect<Result<M>, CallError> => {
  if (call.isOver) return Call.interrupted
  call.observer = self.backend.telemetry?.call(call.ask.method, call.ask.params, span)
  return CallLoop.toItsEnd(self, call)
}

export interface StartedCall {
  /** `unknown`: the server may carry the request out. */
  readonly cancel: () => "notSent" | "unknown"
  /** Cancels nothing, as the caller may come back; a silent server is in doubt. (H9) */
  readonly doubt: () => void
}

/**
 * Calls `then` once, with the exit or what remains for a fiber. To interrupt that, call `cancel`, too: a
 * fiber that has not begun does nothing.
 */
export const start = <M extends Method>(
  self: Calls,
  method: M,
  params: Params<M>,
  options: CallOptions | undefined,
  then: (rest: Effect.Effect<Result<M>, CallError>) => void
): StartedCall => {
  const { telemetry } = self.backend
  const call = begun(self, method, params, options)
  if (telemetry?.hasSpans === true) {
    then(Effect.withFiberRuntime(({ currentSpan }) => observed(self, call, currentSpan)))
  } else {
    call.observer = telemetry?.call(method, params, undefined)
    CallLoop.step(self, call, (next) => {
      if (next._tag === "Again" || next._tag === "Later") then(CallLoop.toItsEnd(self, call, next))
      else CallLoop.end(self, call, next, then)
    })
  }
  return {
    cancel: () => {
      // The caller's next call comes before the fiber is interrupted.
      CallLoop.end(self, call, Call.interrupted)
      return Call.fateOf(call)
    },
    doubt: () => CallLoop.doubt(self, call)
  }
}

/** Hands over calls that have no connection, now and later. (C20) */
export const leaveTo = (self: Calls, successor: Calls): void => {
  self.state.successor = successor
  self.backend.update((slot) => ({ ...slot, hasSuccessor: true }))
}

/** Not installed yet: nothing is waited for, sent again or probed. (C11) */
export const session = (self: Calls, runtime: Runtime): Session => ({
  generation: runtime.generation,
  request: (method, params, { onprogress, ...options } = {}) => {
    const timeout = Call.millis(options.timeout, self.backend.policy.timeouts.request)
    return Effect.catchAllCause(
      Sending.ask(runtime.connection, method, params, {
        ...options,
        timeout,
        maxTotalTimeout: undefined,
        ...Sending.progressTo(onprogress)
      }),
      (cause) =>
        Cause.isInterruptedOnly(cause) ? Effect.interrupt : fail(self, requestErrorOf(cause), method, runtime, timeout)
    )
  }
})

export const probe = (self: Calls): Effect.Effect<void, CallError> =>
  Effect.suspend(() => {
    const { policy: { keepalive }, published } = self.backend
    const runtime = published.value.current
    if (runtime === undefined) return Effect.fail(unavailable(self.backend, said`there is no connection to probe`))
    return Effect.flatMap(
      Probes.now(self.liveness, runtime),
      (error) => error === undefined ? Effect.void : fail(self, error, "ping", runtime, keepalive.timeout)
    )
  })
