import type { McpConfig } from "@mcp-lifeline/config"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { anyone } from "@mcp-lifeline/http-server/Caller"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { Effect, type Redacted, type Scope } from "effect"
import { StartError } from "../text/Errors.js"
import type { AccessInUse } from "./AccessInUse.js"
import * as ProtectedResource from "./ProtectedResource.js"

export interface Options {
  readonly tokens: () => ReadonlyArray<Redacted.Redacted>
  /** Somebody has given the gateway a token, or it has made one: each request needs credentials. */
  readonly isNeeded: boolean
  /** Of `lifeline.clients`; `undefined` if there can be none. */
  readonly clients: Pick<AccessInUse, "isNeeded" | "holders"> | undefined
  /** As the file says now; `undefined` if there is no such option. */
  readonly auth: (() => McpConfig.Auth) | undefined
  readonly place: ProtectedResource.Place
}

export interface GatewayAuthentication {
  readonly authentication: Authentication.Authentication
  /** By path: what nobody needs a token for. */
  readonly pages: ReadonlyMap<string, Handler>
  /** Why access tokens cannot be checked; `undefined` if they can. */
  readonly problem: () => string | undefined
  readonly isUsable: Effect.Effect<boolean>
}

/**
 * For the tokens of the gateway and of clients; without both, everybody is let in. A client's token never counts as one of the gateway, nor the other way
 * round.
 */
export const byToken = (
  { clients, isNeeded, tokens }: Pick<Options, "clients" | "isNeeded" | "tokens">
): Authentication.Authentication => {
  const known = Authentication.byToken(() => [...clients?.holders() ?? [], { caller: anyone, tokens: tokens() }])
  const isNeededNow = (): boolean => isNeeded || clients?.isNeeded() === true
  return {
    get isNeeded() {
      return isNeededNow()
    },
    check: (request) => isNeededNow() ? known.check(request) : anyone
  }
}

export const make = (options: Options): Effect.Effect<GatewayAuthentication, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const { auth, place } = options
    const own = byToken(auth === undefined ? options : { ...options, isNeeded: true })
    if (auth === undefined) {
      return { authentication: own, pages: new Map(), problem: () => undefined, isUsable: Effect.succeed(true) }
    }
    if (auth().audiences.length === 0 && ProtectedResource.defaultAudiences(place, 0).length === 0) {
      return yield* new StartError({
        message: `lifeline.auth.audience is missing: the gateway listens on ${place.host}, which is no name of it. `
          + "Give --public-url, or there the URL under which its clients reach it, such as https://mcp.example.com/mcp"
      })
    }
    const ResourceServer = yield* Effect.promise(() => import("./ResourceServer.js"))
    const server = yield* ResourceServer.make({ auth, place })
    return {
      authentication: Authentication.oneOf([own, server]),
      pages: new Map(Array.from(ProtectedResource.paths(place), (path) => [path, server.metadata])),
      problem: server.problem,
      isUsable: server.isUsable
    }
  })
