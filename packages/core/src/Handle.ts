/** What a backend can beside its interface. Tools have their names at the server. */
import { Clock, Effect } from "effect"
import type { Backend } from "./backend/Backend.js"
import type { BackendHandle } from "./backend/BackendHandle.js"
import type { StartedCall } from "./calls/Calls.js"
import * as Waiting from "./calls/Waiting.js"
import type { CallError } from "./Errors.js"
import { silenceOf } from "./health/Liveness.js"
import type { CallOptions } from "./options/CallOptions.js"
import * as Tools from "./options/Tools.js"
import type { Method, Params, Result } from "./port/Method.js"
import type { Status } from "./state/Status.js"

const of = (backend: Backend): BackendHandle => backend as BackendHandle

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
): StartedCall => of(backend).start(method, params, options, next)

/** Waits up to so many milliseconds as a call does: the next attempt comes as soon. */
export const awaitConnection = (backend: Backend, wait: number): Effect.Effect<void, CallError> =>
  Effect.flatMap(Clock.currentTimeMillis, (begunAt) => {
    const end = begunAt + wait
    return Waiting.until(of(backend).calls, { begunAt, deadline: end, end, isChosen: true })
  })

export const stateOf = (backend: Backend): Status["state"] => of(backend).parts.state.published.value.state._tag

/** The server has left something without an answer, and answered nothing since. */
export const isInDoubt = (backend: Backend): boolean => {
  const { state, supervisor } = of(backend).parts
  const { current } = state.published.value
  return current !== undefined && silenceOf(supervisor.tasks.liveness, current) !== undefined
}

export const toolOptions = (backend: Backend, name: string): Tools.Chosen | undefined =>
  Tools.tool(of(backend).calls.tools, name)

/** The server may not have it. */
export const offersTool = (backend: Backend, name: string): boolean =>
  of(backend).parts.state.offered.has("tools", name)

/** Its callers may call tools that require a task like any other (`calls.tasks`). */
export const runsTasks = (backend: Backend): boolean => of(backend).parts.state.policy.calls.tasks !== "never"
