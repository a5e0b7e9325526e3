/**
 * What the conversations of all clients share.
 */
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import type { Introduction, JsonRpcError } from "@mcp-lifeline/protocol"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import type { Effect } from "effect"
import type { Access } from "../../access/Access.js"
import type { Audit } from "../../audit/Audit.js"
import type { Fibers } from "../../Fibers.js"
import type { Kind } from "../EncodedLists.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ServerPool } from "../pool/ServerPool.js"
import type * as StatusTool from "../StatusTool.js"
import type { Control } from "./ClientAccess.js"

export interface GatewayContext extends Control {
  readonly fibers: Fibers
  readonly servers: ServerPool
  /**
   * What the gateway says about itself to a caller that may use this. Waits at the start for the shared servers, because it includes their instructions.
   */
  readonly introduction: (access: Access, caller: Caller, servers: ClientServers) => Effect.Effect<Introduction>
  /** Whether clients get the status of the servers, as a tool and as a resource. */
  readonly hasStatus: () => boolean
  /** The report about the servers that a client can use. */
  readonly status: (
    fleets: ReadonlyArray<GroupFleet>,
    access: Access,
    caller: Caller
  ) => Effect.Effect<StatusTool.Report>
  /** The result of a list method, for a client that can use these fleets. */
  readonly list: (
    kind: Kind,
    fleets: ReadonlyArray<GroupFleet>,
    client: { readonly access: Access; readonly isStateless: boolean }
  ) => Effect.Effect<string>
  /** What the user of a client has to do now to sign in to a server; `undefined` if nothing. */
  readonly login: (server: string, caller: Caller) => string | undefined
  /** An error as a caller may read it. */
  readonly shown: (error: JsonRpcError.JsonRpcError, caller: Caller) => JsonRpcError.JsonRpcError
  /** The sign-in of a client to a server, if it has its own and is in use. */
  readonly personalSignIn: ((server: string, caller: Caller) => SignIn | undefined) | undefined
  /** Measures requests and sessions of clients. */
  readonly operations: ServerOperations.ServerOperations
  /** Records calls. Default: they are not. */
  readonly audit?: Audit | undefined
  /** How clients' messages are transported. */
  readonly transport: ServerOperations.Session["transport"]
}
