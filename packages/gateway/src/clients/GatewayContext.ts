/** What the conversations of all clients share. */
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import type { Introduction, JsonRpcError } from "@mcp-lifeline/protocol"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import type { Effect } from "effect"
import type { Access } from "../access/Access.js"
import type { Audit } from "../audit/Audit.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { Kind } from "../pool/EncodedLists.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ServerPool } from "../pool/ServerPool.js"
import type { Fibers } from "../text/Fibers.js"
import type { Control } from "./ClientAccess.js"
import type * as StatusTool from "./StatusTool.js"

export interface GatewayContext extends Control {
  readonly fibers: Fibers
  readonly servers: ServerPool
  /** Waits at the start for the shared servers, to include their instructions. */
  readonly introduction: (access: Access, caller: Caller, servers: ClientServers) => Effect.Effect<Introduction>
  readonly hasStatus: () => boolean
  readonly status: (
    fleets: ReadonlyArray<GroupFleet>,
    access: Access,
    caller: Caller
  ) => Effect.Effect<StatusTool.Report>
  readonly list: (
    kind: Kind,
    fleets: ReadonlyArray<GroupFleet>,
    client: { readonly access: Access; readonly isStateless: boolean }
  ) => Effect.Effect<string>
  /** What the user has to do now to sign in. */
  readonly login: (server: string, caller: Caller) => string | undefined
  /** As a caller may read it. */
  readonly shown: (error: JsonRpcError.JsonRpcError, caller: Caller) => JsonRpcError.JsonRpcError
  /** If the client has its own, and it is in use. */
  readonly personalSignIn: ((server: string, caller: Caller) => SignIn | undefined) | undefined
  readonly operations: ServerOperations.ServerOperations
  /** Default: calls are not recorded. */
  readonly audit?: Audit | undefined
}
