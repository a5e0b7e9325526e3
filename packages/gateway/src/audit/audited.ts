/**
 * The step of a conversation that has each call of its client recorded. The answer of a call waits until its line is in the file.
 */
import { type Answer, type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import type { Step } from "../conversation/Handler.js"
import type { Arrived, Audit } from "./Audit.js"
import * as Ended from "./Ended.js"

/** The methods of calls, and the kind of what they name. */
const kinds = { "tools/call": "tools", "prompts/get": "prompts", "resources/read": "resources" } as const

/** What a call names. */
export type Kind = (typeof kinds)[keyof typeof kinds]

const isCall = (method: string): method is keyof typeof kinds => Object.hasOwn(kinds, method)

/** What a name leads to. */
export interface Named {
  readonly server: string
  /** Its name or URI there. */
  readonly original: string
  /** Whether the client may not use it. */
  readonly isHidden: boolean
}

/** The client of a conversation. */
export interface Asking {
  /** Who calls now. */
  readonly who: () => Pick<Arrived, "caller" | "introduced">
  /** Whether that caller may know where the file is. Default: it may. */
  readonly isAdmin?: () => boolean
  /** What a name leads to now, whether or not the client may use it. Asked for calls that were not sent. */
  readonly named: (kind: Kind, name: string) => Named | undefined
}

/** The answer to a call that was carried out, and that could not be recorded. */
const withheld = (method: string, why: string): Answer => ({
  error: {
    code: JsonRpcError.ourCode,
    message:
      `${method} was carried out, but its answer is withheld, because it could not be recorded: ${why}. Do not repeat it before that is repaired`,
    data: { fate: "answered", tag: "NotRecorded" }
  }
})

/** What others are told. */
const unplaced = "the audit cannot be written"

/** Why a call could not be recorded, for whoever has called. */
const whyNot = (audit: Audit, isAdmin: Asking["isAdmin"]): string =>
  isAdmin?.() === false ? unplaced : audit.problem() ?? "the file was closed"

const refusedBy = (why: string): Answer => ({
  error: {
    code: JsonRpcError.ourCode,
    message: `the call was not sent: ${why}. Tell the user; whoever runs mcp-lifeline can repair it`,
    data: { fate: "notSent", tag: "NotRecorded" }
  }
})

/** Has the calls of a client recorded, if calls are. */
export const audited = (audit: Audit | undefined, asking: Asking): Step => (next) => {
  if (audit === undefined) return next
  return (request) => {
    const { method } = request
    if (!isCall(method)) return next(request)
    const why = audit.refusal()
    if (why !== undefined) return request.answer(refusedBy(asking.isAdmin?.() === false ? unplaced : why))
    record(audit, request, kinds[method], asking)
    next(request)
  }
}

const record = (audit: Audit, request: ClientRequest, kind: Kind, { isAdmin, named, who }: Asking): void => {
  const { method, params, traced } = request
  const call = audit.begin({ door: "mcp", id: request.givenId, ...who(), method, params })
  const key = kind === "resources" ? "uri" : "name"
  /** Notes the server, which also what was not sent may have. Returns whether it is one that the client may not use. */
  const isHidden = (): boolean => {
    if (call.isSent()) {
      // Params that are missing were not traced.
      if (params === undefined && request.backend !== undefined) call.found(request.backend.id)
      return false
    }
    const name = params?.[key]
    const found = named(kind, Predicate.isString(name) ? name : "")
    if (found !== undefined) call.found(found.server, { [key]: found.original })
    return found?.isHidden === true
  }
  request.onSent = call.sent
  request.traced = (given) => {
    const sent = traced?.(given) ?? given
    if (request.backend !== undefined) call.found(request.backend.id, sent)
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
