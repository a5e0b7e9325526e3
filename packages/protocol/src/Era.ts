/**
 * Decides from one `server/discover` which era of the protocol a server speaks: revisions up to 2025-11-25 have sessions, which begin with
 * `initialize`; from 2026-07-28 on, each request is independent.
 */
import type { ConnectReason } from "@mcp-lifeline/core"
import { Predicate } from "effect"

export const statelessVersion = "2026-07-28"

/** With sessions, newest first. A test compares them to the official SDK's. */
export const versions: ReadonlyArray<string> = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"]

/** How long to wait for `server/discover` before `initialize`, in milliseconds: 5 s, or a third of the attempt, if that is shorter. */
export const silenceLimit = (attempt = Number.POSITIVE_INFINITY): number => Math.min(5000, attempt / 3)

export type Outcome =
  | { readonly _tag: "Result"; readonly result: Readonly<Record<string, unknown>> }
  /** A JSON-RPC error with any HTTP status except 401, 403, 404, 429 and 5xx. */
  | { readonly _tag: "Error"; readonly code: number; readonly data: unknown }
  /** No answer in JSON-RPC, with the reason as in a failed connection. */
  | { readonly _tag: "Failed"; readonly reason: ConnectReason }

export type Verdict =
  | { readonly _tag: "Stateless"; readonly discovered: Readonly<Record<string, unknown>> }
  /** Send `initialize`: the server does not know `server/discover`, or names older revisions. */
  | { readonly _tag: "Sessions" }
  /** It speaks only other revisions. */
  | { readonly _tag: "Unsupported"; readonly versions: ReadonlyArray<string> }
  /** Not known: the network failed, or something in front of the server refused the request. */
  | { readonly _tag: "None" }

/** JSON-RPC code; `data.supported` names the versions that the server supports. */
export const unsupportedVersion = -32022

/** JSON-RPC code: the client lacks a capability that the server needs. */
export const missingCapability = -32021

const sessions: Verdict = { _tag: "Sessions" }
const none: Verdict = { _tag: "None" }

/** `stdio`: if that differs. */
const failures: { readonly [R in ConnectReason]: { readonly http: Verdict; readonly stdio?: Verdict } } = {
  // A process that ends or is silent at a first message that it does not know speaks an older revision.
  closed: { http: none, stdio: sessions },
  timeout: { http: none, stdio: sessions },
  // 404, 410, and any other status that refuses the request; a success that is not JSON-RPC.
  notFound: { http: sessions },
  protocol: { http: sessions },
  // Who was asked may not be the server, or may not be itself.
  refused: { http: none },
  unreachable: { http: none },
  tls: { http: none },
  session: { http: none },
  spawn: { http: none },
  unauthorized: { http: none },
  forbidden: { http: none },
  rateLimited: { http: none },
  server: { http: none },
  redirect: { http: none },
  incompatible: { http: none },
  onConnected: { http: none },
  defect: { http: none }
}

const textsOf = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) ? value.slice(0, 100).filter(Predicate.isString) : undefined

export const namedIn = (data: unknown): ReadonlyArray<string> | undefined =>
  textsOf(Predicate.isRecord(data) ? data["supported"] : undefined)

/** Who asked for an old version may know no newer one. */
export const common = (data: unknown, refused = ""): string | undefined => {
  const named = namedIn(data)
  const others = versions.filter((one) => one !== refused && named?.includes(one))
  return others.find((one) => one < refused) ?? others[0]
}

/** Revisions are dates, which compare as strings. */
const hasSessions = (version: string): boolean => /^\d{4}-\d\d-\d\d$/.test(version) && version < statelessVersion

const ofOthers = (versions: ReadonlyArray<string>): Verdict =>
  versions.length === 0 || versions.some(hasSessions) ? sessions : { _tag: "Unsupported", versions }

export const verdict = (outcome: Outcome, transport: "http" | "stdio"): Verdict => {
  switch (outcome._tag) {
    case "Result": {
      const { result } = outcome
      const versions = textsOf(result["supportedVersions"]) ?? []
      return versions.includes(statelessVersion) && Predicate.isRecord(result["capabilities"])
        ? { _tag: "Stateless", discovered: result }
        : ofOthers(versions.filter((version) => version !== statelessVersion))
    }
    case "Error": {
      if (outcome.code !== unsupportedVersion) return sessions
      const versions = namedIn(outcome.data) ?? []
      // It refuses what it says to support: something on the way has changed what was asked.
      return versions.includes(statelessVersion) ? none : ofOthers(versions)
    }
    case "Failed": {
      const { http, stdio = http } = failures[outcome.reason]
      return transport === "stdio" ? stdio : http
    }
  }
}
