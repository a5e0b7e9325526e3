import { Predicate } from "effect"
import { isObjection, type RequestError } from "../Errors.js"
import * as PlainText from "../observe/PlainText.js"

/** A closed set. (K17) */
export type Reason =
  | "timeout"
  | "connection"
  | "session_expired"
  | "unsupported"
  | "tool_error"
  | "rate_limited"
  | "protocol"

export interface Failure {
  readonly _tag: "Failure"
  readonly reason: Reason
  readonly message: string
}

export type Beat = { readonly _tag: "Success" } | Failure

export const success: Beat = { _tag: "Success" }

const failure = (reason: Reason, message: string): Failure => ({ _tag: "Failure", reason, message })

const methodNotFound = -32601

export const ofError = (error: RequestError): Beat => {
  if (!isAnswer(error)) return ofTransport(error)
  const unsupported = error.reason === "remote" && error.code === methodNotFound
  return failure(unsupported ? "unsupported" : "protocol", shortened(error.message))
}

export const ofToolError = (tool: string, error: RequestError): Beat =>
  isAnswer(error) ? failure("tool_error", `tool ${tool}: ${shortened(error.message)}`) : ofTransport(error)

export const ofToolResult = (tool: string, result: unknown): Beat =>
  Predicate.isRecord(result) && result["isError"] === true
    ? failure("tool_error", `tool ${tool} answered with isError${textOf(result)}`)
    : success

const isAnswer = ({ reason, retryAfter }: RequestError): boolean =>
  retryAfter === undefined && (reason === "remote" || reason === "protocol")

const ofTransport = (error: RequestError): Beat => {
  if (error.reason === "session") return failure("session_expired", error.message)
  if (isObjection(error)) return failure("rate_limited", error.message)
  return failure(error.reason === "timeout" ? "timeout" : "connection", error.message)
}

const unanswered: ReadonlySet<Reason> = new Set(["timeout", "connection", "session_expired"])

export const isSignOfLife = (beat: Beat): boolean => beat._tag === "Success" || !unanswered.has(beat.reason)

const textOf = (result: Record<string, unknown>): string => {
  const { content } = result
  const first: unknown = Array.isArray(content) ? content[0] : undefined
  return Predicate.isRecord(first) && typeof first["text"] === "string" ? `: ${shortened(first["text"])}` : ""
}

const shortened = (text: string): string => {
  const line = PlainText.line(text.slice(0, 1000))
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}
