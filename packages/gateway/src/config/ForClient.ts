/**
 * Where the start of a server depends on the client's token, or on its own login there.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import { ConnectError, type Connector } from "@mcp-lifeline/core"
import { type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import type { Authorization } from "@mcp-lifeline/transport-http"
import { Effect, Either, Record, type Scope } from "effect"
import { digest } from "../files/digest.js"
import type { PersonalSignIns } from "../sign-in/PersonalSignIns.js"
import * as ClientValues from "./clientValues.js"

export interface Started {
  readonly connector: Connector
  readonly signIn: SignIn | undefined
}

export interface ForClient {
  /** Changes when the client's server must be started anew. It reveals nothing. Empty if nothing depends on this client. */
  readonly keyOf: (caller: Caller) => string
  /** Where the client lacks what is needed, each attempt says what that is. */
  readonly start: (caller: Caller) => Effect.Effect<Started, never, Scope.Scope>
}

/** Does not depend on the client. */
type Common = Pick<Connector, "overlap" | "target" | "transport">

/** `why`: one line. */
const refusing = ({ overlap, target, transport }: Common, why: string): Connector => ({
  overlap,
  target,
  transport,
  connect: () => Effect.fail(new ConnectError({ backend: "", reason: "forbidden", permanent: true, message: why }))
})

export const withoutClient = (common: Common, { fromClient }: Pick<McpConfig.StdioServer, "fromClient">): Connector =>
  refusing(common, `it is started for a client only: ${Object.keys(fromClient).join(", ")} depends on who that is`)

export interface Options {
  readonly server: Pick<McpConfig.Server["reach"], "_tag" | "fromClient">
  readonly common: Common
  /** With the client's own authorization, if it has one. */
  readonly make: (
    values: ClientValues.Values,
    authorization: Authorization | undefined
  ) => Either.Either<Connector, unknown>
  /** Of clients, if each has its own. */
  readonly signIns: PersonalSignIns | undefined
}

const unfit = "this server cannot be started with what is known of this client: ask whoever runs the gateway"

export const make = ({ common, make, server: { _tag, fromClient }, signIns }: Options): ForClient => {
  const valuesOf = (caller: Caller) => ClientValues.of(fromClient, caller, _tag === "Http" ? "header" : "variable")
  const ownSignInsOf = ({ subject }: Caller) => subject === "" ? undefined : signIns
  const newKey = (caller: Caller): string => {
    const owner = ownSignInsOf(caller) === undefined ? "" : ownerOf(caller)
    return owner === "" && Record.isEmptyRecord(fromClient) ? "" : digest([owner, Either.merge(valuesOf(caller))])
  }
  /** Each request asks for them. */
  const keys = new WeakMap<Caller, string>()
  return {
    keyOf: (caller) => {
      const key = keys.get(caller) ?? newKey(caller)
      keys.set(caller, key)
      return key
    },
    start: (caller) =>
      Effect.gen(function*() {
        const signIn = yield* ownSignInsOf(caller)?.of(caller) ?? Effect.succeed(undefined)
        const connector = Either.getOrElse(
          Either.flatMap(
            valuesOf(caller),
            (values) => Either.mapLeft(make(values, signIn?.authorization), () => unfit)
          ),
          (why) => refusing(common, why)
        )
        return { connector, signIn }
      })
  }
}
