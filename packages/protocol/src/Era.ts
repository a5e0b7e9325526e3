/**
 * Decides from the outcome of one `server/discover` which era of the protocol a server speaks. Pure.
 *
 * Revisions up to 2025-11-25 have sessions, which begin with `initialize`. From 2026-07-28 on, each request is independent.
 */
import type { ConnectReason } from "@mcp-lifeline/core"
import { Predicate } from "effect"

/** The revision without sessions that Lifeline speaks. */
export const statelessVersion = "2026-07-28"

/** The versions with sessions, newest first. A test compares them to the official SDK's. */
export const versions: ReadonlyArray<string> = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"]

/**
 * How long a server may be silent after `server/discover` before it is initialized, in milliseconds: 5 s, or a third of an attempt that is
 * shorter.
 */
export const silenceLimit = (attempt = Number.POSITIVE_INFINITY): number => Math.min(5000, attempt / 3)

/** The outcome of `server/discover`. */
export type Outcome =
  | { readonly _tag: "Result"; readonly result: Readonly<Record<string, unknown>> }
  /** A JSON-RPC error with any HTTP status except 401, 403, 404, 429 and 5xx. */
  | { readonly _tag: "Error"; readonly code: number; readonly data: unknown }
  /** No answer in JSON-RPC, with the reason as in a failed connection. */
  | { readonly _tag: "Failed"; readonly reason: ConnectReason }

/** The conclusion about a server. */
export type Verdict =
  /** It speaks the revision without sessions; `discovered` is its answer. */
  | { readonly _tag: "Stateless"; readonly discovered: Readonly<Record<string, unknown>> }
  /** Send `initialize`: the server does not know `server/discover`, or names older revisions. */
  | { readonly _tag: "Sessions" }
  /** It speaks only revisions that Lifeline does not support. */
  | { readonly _tag: "Unsupported"; readonly versions: ReadonlyArray<string> }
  /** The outcome does not show the era: the network failed, or something in front of the server refused the request. */
  | { readonly _tag: "None" }

/** JSON-RPC code: the server does not support the version; `data.supported` names those that it supports. */
export const unsupportedVersion = -32022

/** JSON-RPC code: the server needs a capability that the client does not have. */
export const missingCapability = -32021

const sessions: Verdict = { _tag: "Sessions" }
const none: Verdict = { _tag: "None" }

/** The conclusion if there is no answer in JSON-RPC; over stdio if that differs. */
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

/** The versions that the data of a refusal names. */
export const namedIn = (data: unknown): ReadonlyArray<string> | undefined =>
  textsOf(Predicate.isRecord(data) ? data["supported"] : undefined)

/** What to ask for after a refusal: who asked for an old version may know no newer one. */
export const common = (data: unknown, refused = ""): string | undefined => {
  const named = namedIn(data)
  const others = versions.filter((one) => one !== refused && named?.includes(one))
  return others.find((one) => one < refused) ?? others[0]
}

/** Revisions are dates, so they can be compared as strings. */
const hasSessions = (version: string): boolean => /^\d{4}-\d\d-\d\d$/.test(version) && version < statelessVersion

/** The conclusion from revisions of which none is Lifeline's without sessions. */
const ofOthers = (versions: ReadonlyArray<string>): Verdict =>
  versions.length === 0 || versions.some(hasSessions) ? sessions : { _tag: "Unsupported", versions }

/** The conclusion from the outcome of `server/discover`. */
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
