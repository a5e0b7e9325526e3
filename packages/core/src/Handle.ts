/** What a backend can beside its interface. Tools have their names at the server. */
import { Clock, Effect } from "effect"
import type { Backend } from "./backend/Backend.js"
import type { BackendHandle, Parts } from "./backend/BackendHandle.js"
import * as Calls from "./calls/Calls.js"
import * as Waiting from "./calls/Waiting.js"
import type { CallError } from "./Errors.js"
import { silenceOf } from "./health/Liveness.js"
import type { CallOptions } from "./options/CallOptions.js"
import * as Tools from "./options/Tools.js"
import type { Method, Params, Result } from "./port/Method.js"
import type { Status } from "./state/Status.js"

const partsOf = (backend: Backend): Parts => (backend as BackendHandle).parts

/**
 * `Backend.request` without a fiber. Calls `next` once, perhaps before this returns, with the exit, or with what is left to do in a fiber.
 * Whoever interrupts that also calls `cancel`, and again when it has ended: it returns what becomes of the request.
 */
export const start = <M extends Method>(
  backend: Backend,
  method: M,
  params: Params<M>,
  options: CallOptions | undefined,
  next: (rest: Effect.Effect<Result<M>, CallError>) => void
): Calls.StartedCall => Calls.start(partsOf(backend).supervisor.calls, method, params, options, next)

/** Waits up to so many milliseconds as a call does: the next attempt comes as soon. */
export const awaitConnection = (backend: Backend, wait: number): Effect.Effect<void, CallError> =>
  Effect.flatMap(Clock.currentTimeMillis, (begunAt) => {
    const end = begunAt + wait
    return Waiting.until(partsOf(backend).supervisor.calls, { begunAt, deadline: end, end, isChosen: true })
  })

export const stateOf = (backend: Backend): Status["state"] => partsOf(backend).state.published.value.state._tag

/** The server has left something without an answer, and answered nothing since. */
export const isInDoubt = (backend: Backend): boolean => {
  const { state, supervisor } = partsOf(backend)
  const { current } = state.published.value
  return current !== undefined && silenceOf(supervisor.tasks.liveness, current) !== undefined
}

export const toolOptions = (backend: Backend, name: string): Tools.Chosen | undefined =>
  Tools.tool(partsOf(backend).supervisor.calls.tools, name)

/** The server may not have it. */
export const offersTool = (backend: Backend, name: string): boolean => partsOf(backend).state.offered.has("tools", name)

/** Its callers may call tools that require a task like any other (`calls.tasks`). */
export const runsTasks = (backend: Backend): boolean => partsOf(backend).state.policy.calls.tasks !== "never"
