import { RequestError } from "@mcp-lifeline/core"
import type { Fate, RequestReason } from "../../src/Errors.js"

export const fates = ["notSent", "rejected", "unknown", "answered"] as const satisfies ReadonlyArray<Fate>

export const reasons = [
  "lost",
  "session",
  "timeout",
  "network",
  "server",
  "rateLimited",
  "unauthorized",
  "remote",
  "protocol",
  "fault"
] as const satisfies ReadonlyArray<RequestReason>

export const failed = (fate: Fate, reason: RequestReason, more: Partial<RequestError> = {}) =>
  new RequestError({ message: "cut", ...more, fate, reason })
