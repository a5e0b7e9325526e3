/**
 * The gateway as its API sees it: its servers, and a record of what has happened to them.
 */
import type * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import { Clock, Effect, type Scope } from "effect"
import type { AccessControl } from "../access/AccessControl.js"
import type { AccessInUse } from "../access/AccessInUse.js"
import type { CallRates } from "../access/CallRates.js"
import type { Audit } from "../audit/Audit.js"
import type { GatewayAuthentication } from "../auth/GatewayAuthentication.js"
import type { Gateways } from "../replica/Gateways.js"
import type { ServerPool } from "../serve/pool/ServerPool.js"
import type { LoginPages } from "../sign-in/LoginPages.js"
import type { PersonalSignIns } from "../sign-in/PersonalSignIns.js"
import * as Record from "./Record.js"

/** What the API reports in addition to the servers. */
export interface About {
  readonly record: Record.Record
  /** In milliseconds since 1970. */
  readonly startedAt: number
  /** The configuration file; `undefined` if there is none. */
  readonly config: string | undefined
  /** Why the last version of the file, or a part of it, is not in use; `undefined` if it is. */
  readonly refused?: (() => string | undefined) | undefined
  /** How clients' access tokens are checked. Default: there are none. */
  readonly accessTokens?: Pick<GatewayAuthentication, "problem" | "isUsable"> | undefined
  /** The tokens of clients with names, as far as somebody else has them, too. */
  readonly clientTokens?: Pick<AccessInUse, "problem"> | undefined
  /** Records calls. Default: they are not. */
  readonly audit?: Audit | undefined
  /** The sign-in of a server; `undefined` if it has none. */
  readonly signIn: (server: string) => SignIn.SignIn | undefined
  /** The sign-ins of clients to a server of which each client has its own; `undefined` if they have none. Default: none have. */
  readonly personalSignIns?: ((server: string) => PersonalSignIns | undefined) | undefined
}

export interface Gateway extends About {
  readonly servers: ServerPool
  /** What each caller may use and do. */
  readonly rules: AccessControl
  /** How many calls each caller has made, through the API or as a client. */
  readonly rates: CallRates
  /** The replicas of its cluster; `undefined` if it is alone. */
  readonly replicas?: Gateways | undefined
  /** The pages of logins; `undefined` if there are none here. */
  readonly logins?: LoginPages | undefined
  readonly url: string
  /** How many sessions are open. */
  readonly clients: Effect.Effect<number>
  /** Ends when the gateway stops and waits no longer for answers to calls. Default: never. */
  readonly stopped?: Effect.Effect<void> | undefined
  /** Whether each shared server has connected, or failed to. */
  readonly isReady: Effect.Effect<boolean>
}

/** Makes a record that begins now. */
export const about = ({ shared }: Pick<ServerPool, "shared">): Effect.Effect<About, never, Scope.Scope> =>
  Effect.gen(function*() {
    const record = yield* Record.make()
    yield* record.follow(shared.fleet)
    return { record, startedAt: yield* Clock.currentTimeMillis, config: undefined, signIn: () => undefined }
  })
