/**
 * Who may use the gateway: whoever has one of its tokens, and with `lifeline.auth` whoever an authorization server vouches for.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { Effect, type Redacted, type Scope } from "effect"
import { StartError } from "../Errors.js"
import * as ProtectedResource from "./ProtectedResource.js"
import type { ResourceServer } from "./ResourceServer.js"

/** Who may use the gateway. */
export interface Options {
  /** The tokens that are accepted now; `undefined` if there are none. */
  readonly tokens: (() => ReadonlyArray<Redacted.Redacted>) | undefined
  /** Which access tokens are accepted, according to the file now; `undefined` if there is no such option. */
  readonly auth: (() => McpConfig.Auth) | undefined
  readonly place: ProtectedResource.Place
}

/** See the head of the file. */
export interface Access {
  /** `undefined`: everybody whom the guard lets in. */
  readonly authentication: Authentication.Authentication | undefined
  /** What nobody needs a token for, by its path. */
  readonly pages: ReadonlyMap<string, Handler>
  /** Why access tokens cannot be checked as they should be; `undefined` if they can. */
  readonly problem: () => string | undefined
  /** Whether access tokens can be checked, if there are any. */
  readonly isUsable: Effect.Effect<boolean>
}

const audienceMissing = (host: string): StartError =>
  new StartError({
    message: `lifeline.auth.audience is missing: the gateway listens on ${host}, which is no name of it. `
      + "Give the URL under which its clients reach it, such as https://mcp.example.com/mcp"
  })

const resourceServer = (
  auth: () => McpConfig.Auth,
  place: ProtectedResource.Place
): Effect.Effect<ResourceServer, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    if (auth().audiences.length === 0 && ProtectedResource.defaultAudiences(place, 0).length === 0) {
      return yield* audienceMissing(place.host)
    }
    const { make } = yield* Effect.promise(() => import("./ResourceServer.js"))
    return yield* make({ auth, place })
  })

/** Decides until the scope closes. */
export const make = ({ auth, place, tokens }: Options): Effect.Effect<Access, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const own = tokens && Authentication.tokens(tokens)
    if (auth === undefined) {
      return { authentication: own, pages: new Map(), problem: () => undefined, isUsable: Effect.succeed(true) }
    }
    const server = yield* resourceServer(auth, place)
    return {
      authentication: own === undefined ? server : Authentication.oneOf([own, server]),
      pages: new Map(ProtectedResource.paths.map((path) => [path, server.metadata])),
      problem: server.problem,
      isUsable: server.isUsable
    }
  })
