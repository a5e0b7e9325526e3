/**
 * How a server is started for one client, where that depends on who the client is.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import { ConnectError, type Connector } from "@mcp-lifeline/core"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Effect, Either, type Scope } from "effect"
import * as ClientValues from "./clientValues.js"
import { digest } from "./digest.js"

/** See the head of the file. */
export interface ForClient {
  /** The same for a client as long as its server need not be started anew. It reveals nothing. */
  readonly keyOf: (caller: Caller) => string
  /** Connects as this client. Where the client lacks what is needed, each attempt says what that is. */
  readonly connector: (caller: Caller) => Effect.Effect<Connector, never, Scope.Scope>
}

/** The parts of a connector that do not depend on the client. */
type Common = Pick<Connector, "overlap" | "target" | "transport">

/** A connector without connections. `why`: one line. */
export const refusing = ({ overlap, target, transport }: Common, why: string): Connector => ({
  overlap,
  target,
  transport,
  connect: () => Effect.fail(new ConnectError({ backend: "", reason: "forbidden", permanent: true, message: why }))
})

/** The connector of a server that is only started for a client. */
export const withoutClient = (common: Common, { fromClient }: Pick<McpConfig.StdioServer, "fromClient">): Connector =>
  refusing(common, `it is started for a client only: ${Object.keys(fromClient).join(", ")} depends on who that is`)

/** How to reach a server, and the values of a client for it. */
export interface Options {
  readonly server: Pick<McpConfig.Server["reach"], "_tag" | "fromClient">
  readonly common: Common
  /** The connector with the values of a client, or why there can be none. */
  readonly make: (values: ClientValues.Values) => Either.Either<Connector, unknown>
}

export const make = ({ common, make, server: { _tag, fromClient } }: Options): ForClient => {
  const valuesOf = (caller: Caller) => ClientValues.of(fromClient, caller, _tag === "Http" ? "header" : "variable")
  /** Each request asks for them. */
  const keys = new WeakMap<Caller, string>()
  return {
    keyOf: (caller) => {
      const key = keys.get(caller) ?? digest(Either.merge(valuesOf(caller)))
      keys.set(caller, key)
      return key
    },
    connector: (caller) =>
      Effect.sync(() =>
        Either.getOrElse(
          Either.flatMap(valuesOf(caller), (values) =>
            Either.mapLeft(
              make(values),
              () => "this server cannot be started with what is known of this client: ask whoever runs the gateway"
            )),
          (why) => refusing(common, why)
        )
      )
  }
}
