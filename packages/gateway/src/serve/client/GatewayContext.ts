/**
 * What the conversations of all clients share.
 */
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import type { Introduction } from "@mcp-lifeline/protocol"
import type { Cause, Duration, Effect, Runtime } from "effect"
import type { Kind } from "../EncodedLists.js"
import type { HolderFleet } from "../pool/HolderFleet.js"
import type { ServerPool } from "../pool/ServerPool.js"
import type { Report } from "../StatusTool.js"

/** What the conversations of all clients share. */
export interface GatewayContext {
  readonly runtime: Runtime.Runtime<never>
  readonly servers: ServerPool
  /** Whether the shared servers have been waited for at the start. */
  readonly isReady: () => boolean
  /** Ends when that is so: the first list of an early client waits for it. */
  readonly ready: Effect.Effect<void>
  /** How long the answer to `initialize` waits for that, so that it can have the servers' instructions. */
  readonly introductionWait: Duration.DurationInput
  /** What a client is told of us. */
  readonly introduction: () => Introduction
  /** The version that is spoken with a client that asks for one. */
  readonly agreedVersion: (asked: string) => string
  /** Whether clients are offered the status of the servers. */
  readonly hasStatus: () => boolean
  /** How the servers are that a client can use. */
  readonly status: (fleets: ReadonlyArray<HolderFleet>) => Effect.Effect<Report>
  /** The answer to the method of a list, for a client that can use these servers. */
  readonly list: (kind: Kind, fleets: ReadonlyArray<HolderFleet>) => Effect.Effect<string>
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login: (server: string) => string | undefined
  /** Measures the requests and the sessions of clients. */
  readonly operations: ServerOperations.ServerOperations
  /** What carries the messages of clients. */
  readonly transport: ServerOperations.Session["transport"]
  /** Logs what broke inside the gateway. */
  readonly failed: (cause: Cause.Cause<unknown>) => void
}
