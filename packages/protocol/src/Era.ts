/**
 * Which era of the protocol a server speaks, by what comes of one `server/discover`: pure.
 *
 * The revisions to 2025-11-25 have sessions, which begin with `initialize`. From 2026-07-28 on each request stands for itself.
 */
import type { ConnectReason } from "@mcp-lifeline/core"
import { Predicate } from "effect"

/** The revision without sessions that Lifeline speaks. */
export const statelessVersion = "2026-07-28"

/** What came of `server/discover`. */
export type Outcome =
  | { readonly _tag: "Result"; readonly result: Readonly<Record<string, unknown>> }
  /** An error in JSON-RPC, whatever the status of HTTP it came with, where that is none of 401, 403, 404, 429 and 5xx. */
  | { readonly _tag: "Error"; readonly code: number; readonly data: unknown }
  /** No answer in JSON-RPC: why, as if a connection had failed for it. */
  | { readonly _tag: "Failed"; readonly reason: ConnectReason }

/** What a server speaks. */
export type Verdict =
  /** It speaks the revision without sessions, and `discovered` is what it says of itself. */
  | { readonly _tag: "Stateless"; readonly discovered: Readonly<Record<string, unknown>> }
  /** `initialize` is in order: the server does not know the question, or names older revisions. */
  | { readonly _tag: "Sessions" }
  /** It speaks only revisions that Lifeline does not. */
  | { readonly _tag: "Unsupported"; readonly versions: ReadonlyArray<string> }
  /** What came says nothing of the era: the network failed, or somebody refused before the server was asked. */
  | { readonly _tag: "None" }

/** JSON-RPC: the version is not supported; `data.supported` names those that are. */
export const unsupportedVersion = -32022

/** JSON-RPC: the server needs a capability that the client does not have. */
export const missingCapability = -32021

const sessions: Verdict = { _tag: "Sessions" }
const none: Verdict = { _tag: "None" }

/** What follows where there is no answer in JSON-RPC; by stdio where that differs. */
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

const textsOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []

/** Revisions are dates, which sort as texts. */
const hasSessions = (version: string): boolean => /^\d{4}-\d\d-\d\d$/.test(version) && version < statelessVersion

/** What follows from the revisions that a server names, none of which is without sessions and ours. */
const ofOthers = (versions: ReadonlyArray<string>): Verdict =>
  versions.length === 0 || versions.some(hasSessions) ? sessions : { _tag: "Unsupported", versions }

/** What the outcome of `server/discover` says of the server. */
export const verdict = (outcome: Outcome, transport: "http" | "stdio"): Verdict => {
  switch (outcome._tag) {
    case "Result": {
      const { result } = outcome
      const versions = textsOf(result["supportedVersions"])
      return versions.includes(statelessVersion) && Predicate.isRecord(result["capabilities"])
        ? { _tag: "Stateless", discovered: result }
        : ofOthers(versions.filter((version) => version !== statelessVersion))
    }
    case "Error": {
      if (outcome.code !== unsupportedVersion) return sessions
      const versions = textsOf(Predicate.isRecord(outcome.data) ? outcome.data["supported"] : undefined)
      // It refuses what it says to support: something on the way has changed what was asked.
      return versions.includes(statelessVersion) ? none : ofOthers(versions)
    }
    case "Failed": {
      const { http, stdio = http } = failures[outcome.reason]
      return transport === "stdio" ? stdio : http
    }
  }
}
