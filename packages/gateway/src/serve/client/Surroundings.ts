/**
 * What the conversations of all clients share.
 */
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import type { Introduction } from "@mcp-lifeline/protocol"
import type { Cause, Duration, Effect, Runtime } from "effect"
import type { Group } from "../Group.js"
import type { Kind } from "../Lists.js"
import type { Server, Servers } from "../Servers.js"
import type { Report } from "../StatusTool.js"
import type { UnderWay } from "../UnderWay.js"

/** What the conversations of all clients share. */
export interface Surroundings {
  readonly runtime: Runtime.Runtime<never>
  readonly servers: Servers
  /** The servers that all clients share. */
  readonly shared: Group
  /** Whether the shared servers have been waited for at the start. */
  readonly isReady: () => boolean
  /** Ends when that is so: the first list of an early client waits for it. */
  readonly ready: Effect.Effect<void>
  /** How long the answer to `initialize` waits for that, so that it can have the servers' instructions. */
  readonly patience: Duration.DurationInput
  /** Whether one of the servers of which each client has its own is switched off. */
  readonly isOff: (server: Server) => boolean
  /** What a client is told of us. */
  readonly introduction: () => Introduction
  /** The version that is spoken with a client that asks for one. */
  readonly agreedVersion: (asked: string) => string
  /** Whether clients are offered the status of the servers. */
  readonly hasStatus: () => boolean
  /** How the servers are: the shared ones, and those that a client has to itself. */
  readonly status: (own: Group | undefined) => Effect.Effect<Report>
  /** The answer to the method of a list, for all clients that have no servers to themselves. */
  readonly list: (kind: Kind) => string
  /** The same for one that has. */
  readonly listWith: (kind: Kind, own: Group) => string
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login: (server: string) => string | undefined
  /** Measures the requests and the sessions of clients. */
  readonly operations: ServerOperations.ServerOperations
  /** What carries the messages of clients. */
  readonly transport: ServerOperations.Session["transport"]
  /** The requests of all clients that are not answered yet. */
  readonly underWay: UnderWay
  /** Logs what broke inside the gateway. */
  readonly failed: (cause: Cause.Cause<unknown>) => void
}
