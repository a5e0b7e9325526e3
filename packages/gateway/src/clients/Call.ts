/** What a request of a client becomes before its server is looked for. */
import { type ClientRequest, JsonRpc } from "@mcp-lifeline/protocol"
import type { ClientRelay } from "../conversation/ClientRelay.js"
import { type JsonRpcError, methodNotFound } from "../conversation/errors.js"
import type { Step } from "../conversation/Handler.js"
import type { ClientAccess } from "./ClientAccess.js"
import * as Destination from "./Destination.js"
import * as RequestStates from "./RequestStates.js"
import * as TaskIds from "./TaskIds.js"

/** To who has a name. */
export interface NamedCall {
  readonly request: ClientRequest
  readonly method: Destination.Method
  readonly destination: Destination.Destination
  readonly state: RequestStates.RequestState | undefined
}

/** To who runs a task. */
export interface TaskCall {
  readonly request: ClientRequest
  readonly params: Readonly<Record<string, unknown>>
  readonly task: TaskIds.Task
  readonly state: RequestStates.RequestState | undefined
}

/** Calls above the rate of their sender, whatever they ask for. */
export const limited = (access: ClientAccess): Step => (next) => (request) => {
  const excess = access.limit(request)
  if (excess === undefined) next(request)
  else request.answer(excess)
}

/** A task is known by the id that the gateway has given the client. `refusal`: of such methods, for this client. */
export const ofTask =
  (access: ClientAccess, refusal: (method: string) => JsonRpcError | undefined, to: (call: TaskCall) => void): Step =>
  (next) =>
  (request) => {
    const { method, params } = request
    if (!TaskIds.isAboutTask(method)) return next(request)
    const error = refusal(method)
    if (error !== undefined) return request.answer({ error })
    const task = access.taskIds.find(params?.["taskId"])
    if (params === undefined || task === undefined || !access.mayUse(request, task)) {
      return void request.refuse(JsonRpc.invalidParams, "Task not found")
    }
    const state = access.requestStates.find(params)
    if (state !== undefined && ("code" in state || state.server !== task.server)) {
      return request.answer({ error: RequestStates.refused })
    }
    to({ request, params, task, state })
  }

export const named = (
  access: ClientAccess,
  relay: Pick<ClientRelay, "refuseParams">
): Step<ClientRequest, NamedCall> =>
(next) =>
(request) => {
  const { method, params } = request
  if (!Destination.isRouted(method)) return request.answer({ error: methodNotFound(method) })
  const destination = Destination.of(method, params)
  if (destination === undefined) return relay.refuseParams(request, method)
  const state = access.requestStates.find(params)
  if (state !== undefined && "code" in state) return request.answer({ error: state })
  next({ request, method, destination, state })
}
