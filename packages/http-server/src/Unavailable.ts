import { kibibytes } from "@mcp-lifeline/core/text"
import { JsonRpc } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Body from "./Body.js"
import * as Caller from "./Caller.js"
import { notTakenHeader, refuse } from "./Refusal.js"

export type Phase = "starting" | "stopping"

export interface Answer {
  readonly status: number
  /** For everybody. */
  readonly body: object
  /** For those who may send requests. */
  readonly details: object
}

/** For process supervisors, by path. */
export type Probes = (phase: Phase) => Readonly<Record<string, Answer>>

const messages: Readonly<Record<Phase, string>> = {
  starting: "The gateway is starting",
  stopping: "The gateway is shutting down"
}

/** An open connection would delay the shutdown. */
const headers = { "Retry-After": "1", Connection: "close", [notTakenHeader]: "1" }

/** Searched for the id of a request. */
const maxBodyBytes = kibibytes(64)

const idOf = (body: Body.Body): RequestId | null | undefined => {
  if (body._tag === "Refused") return body.refusal.id
  const read = JsonRpc.read(body.value)
  if (read._tag === "Illegible") return read.id
  return JsonRpc.isRequest(read.message) ? read.message.id : null
}

const refuseMessage = (request: IncomingMessage, response: ServerResponse, message: string): void => {
  const answer = (id: RequestId | null | undefined): void => refuse(response, { status: 503, message, id, headers })
  if (request.method !== "POST") return answer(null)
  Body.read(request, maxBodyBytes, (body) => answer(idOf(body)))
}

/** `Guard` has allowed the request, or it is a probe. */
export const answer = (
  phase: Phase,
  probes: Probes,
  path: string,
  request: IncomingMessage,
  response: ServerResponse
): void => {
  if (path === "/mcp") return refuseMessage(request, response, messages[phase])
  const answers = probes(phase)
  const probe = request.method === "GET" && Object.hasOwn(answers, path) ? answers[path] : undefined
  if (probe === undefined) {
    response.writeHead(503, { ...headers, "Content-Type": "text/plain" }).end(`${messages[phase]}\n`)
    return
  }
  response.writeHead(probe.status, {
    ...(probe.status === 503 ? headers : {}),
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    Connection: "close"
  }).end(JSON.stringify(Caller.of(request) === Caller.stranger ? probe.body : probe.details))
}
