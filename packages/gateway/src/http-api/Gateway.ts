import type * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import { Clock, Effect, type Scope } from "effect"
import type { AccessControl } from "../access/AccessControl.js"
import type { AccessInUse } from "../access/AccessInUse.js"
import type { CallRates } from "../access/CallRates.js"
import type { GatewayAuthentication } from "../access/GatewayAuthentication.js"
import type { Audit } from "../audit/Audit.js"
import type { ServerPool } from "../pool/ServerPool.js"
import type { Gateways } from "../replica/Gateways.js"
import type { LoginPages } from "../sign-in/LoginPages.js"
import type { PersonalSignIns } from "../sign-in/PersonalSignIns.js"
import * as Record from "./Record.js"

export interface About {
  readonly record: Record.Record
  /** In milliseconds since 1970. */
  readonly startedAt: number
  /** `undefined`: there is no file. */
  readonly config: string | undefined
  /** Why the last version of the file, or a part of it, is not in use. */
  readonly refused?: (() => string | undefined) | undefined
  readonly accessTokens?: Pick<GatewayAuthentication, "problem" | "isUsable"> | undefined
  /** Tokens that several have. */
  readonly clientTokens?: Pick<AccessInUse, "problem"> | undefined
  readonly audit?: Audit | undefined
  /** `undefined`: the server has none. */
  readonly signIn: (server: string) => SignIn.SignIn | undefined
  /** Of clients to a server of which each client has its own; `undefined` if they have none. */
  readonly personalSignIns?: ((server: string) => PersonalSignIns | undefined) | undefined
}

export interface Gateway extends About {
  readonly servers: ServerPool
  readonly rules: AccessControl
  /** Of calls through the API and as a client. */
  readonly rates: CallRates
  readonly replicas?: Gateways | undefined
  /** Of logins; `undefined` if there are none here. */
  readonly logins?: LoginPages | undefined
  readonly url: string
  readonly clients: Effect.Effect<number>
  /** Ends when the gateway stops and waits no longer for answers to calls. Default: never. */
  readonly stopped?: Effect.Effect<void> | undefined
  /** Each shared server has connected, or failed to. */
  readonly isReady: Effect.Effect<boolean>
}

export const about = ({ shared }: Pick<ServerPool, "shared">): Effect.Effect<About, never, Scope.Scope> =>
  Effect.gen(function*() {
    const record = yield* Record.make()
    yield* record.follow(shared.fleet)
    return { record, startedAt: yield* Clock.currentTimeMillis, config: undefined, signIn: () => undefined }
  })
