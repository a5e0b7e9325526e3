import { type Answer, type ClientRequest, JsonRpcError, Named } from "@mcp-lifeline/protocol"
import type { Step } from "../conversation/Handler.js"
import type { Arrived, Audit } from "./Audit.js"
import * as Ended from "./Ended.js"

const kinds = {
  "tools/call": "tools",
  "prompts/get": "prompts",
  "resources/read": "resources"
} as const satisfies Record<
  Named.Call,
  string
>

export type Kind = (typeof kinds)[Named.Call]

export interface Known {
  readonly server: string
  /** Its name or URI there, if that may be another. */
  readonly original?: string
  readonly isHidden: boolean
}

export interface Asking {
  readonly who: () => Pick<Arrived, "caller" | "introduced">
  /** Whether the caller may know where the file is. Default: it may. */
  readonly isAdmin?: () => boolean
  /** Of a call that was not sent: what its name leads to, whether or not the client may use it. */
  readonly named: (kind: Kind, name: unknown) => Known | undefined
}

const withheld = (method: string, why: string): Answer => ({
  error: {
    code: JsonRpcError.ourCode,
    message:
      `${method} was carried out, but its answer is withheld, because it could not be recorded: ${why}. Do not repeat it before that is repaired`,
    data: { fate: "answered", tag: "NotRecorded" }
  }
})

/** For others than admins: without the place of the file. */
export const unplaced = "the audit cannot be written"

const whyNot = (audit: Audit, isAdmin: Asking["isAdmin"]): string =>
  isAdmin?.() === false ? unplaced : audit.problem() ?? "the file was closed"

const refusedBy = (why: string): Answer => ({
  error: {
    code: JsonRpcError.ourCode,
    message: `the call was not sent: ${why}. Tell the user; whoever runs mcp-lifeline can repair it`,
    data: { fate: "notSent", tag: "NotRecorded" }
  }
})

export const audited = (audit: Audit | undefined, asking: Asking): Step => (next) => {
  if (audit === undefined) return next
  return (request) => {
    const { method } = request
    if (!Named.isCall(method)) return next(request)
    const why = audit.refusal()
    if (why !== undefined) return request.answer(refusedBy(asking.isAdmin?.() === false ? unplaced : why))
    record(audit, request, kinds[method], asking)
    next(request)
  }
}

const record = (audit: Audit, request: ClientRequest, kind: Kind, { isAdmin, named, who }: Asking): void => {
  const { method, params, traced } = request
  const call = audit.begin({ door: "mcp", id: request.givenId, ...who(), method, params })
  /** Records the server, which also what was not sent may have. */
  const isHidden = (): boolean => {
    if (call.isSent()) {
      // Params that are missing were not traced.
      if (params === undefined && request.backend !== undefined) call.found(request.backend.id)
      return false
    }
    const found = named(kind, Named.valueOf(method, params))
    if (found !== undefined) call.found(found.server, found.original)
    return found?.isHidden === true
  }
  request.onSent = call.sent
  request.traced = (given) => {
    const sent = traced?.(given) ?? given
    if (request.backend !== undefined) call.sentAs(request.backend.id, sent)
    return sent
  }
  request.held = (answer, hand) => {
    const known = { isHidden: isHidden(), isSent: call.isSent(), asksForTask: params?.["task"] !== undefined }
    call.ended(
      Ended.byAnswer(answer, known),
      (mayAnswer) => hand(mayAnswer ? answer : withheld(method, whyNot(audit, isAdmin)))
    )
  }
  request.onOver((error, fate) => {
    if (error !== "cancelled") return
    isHidden()
    call.ended(Ended.byCancel(call.isSent(), fate), () => undefined)
  })
}
