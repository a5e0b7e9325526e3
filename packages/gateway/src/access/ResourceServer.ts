/**
 * The gateway as an OAuth resource server (`lifeline.auth`).
 */
import type { McpConfig } from "@mcp-lifeline/config"
import { type Authentication, bearer } from "@mcp-lifeline/http-server/Authentication"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import type { Refusal } from "@mcp-lifeline/http-server/Refusal"
import { isSameIssuer } from "@mcp-lifeline/sign-in/addresses"
import { Clock, Data, Effect, type Fiber, FiberId, type Scope } from "effect"
import type { JWTPayload, JWTVerifyGetKey } from "jose"
import type { IncomingMessage } from "node:http"
import * as RepeatedLines from "../log/RepeatedLines.js"
import * as Fibers from "../text/Fibers.js"
import * as AccessToken from "./AccessToken.js"
import { IssuerKeys, type KeysUnavailable, type Options as KeyOptions } from "./IssuerKeys.js"
import * as ProtectedResource from "./ProtectedResource.js"

export interface Options extends Pick<KeyOptions, "fetchKeys"> {
  /** As the file says now. */
  readonly auth: () => McpConfig.Auth
  readonly place: ProtectedResource.Place
}

export interface ResourceServer extends Authentication {
  /** What clients need to know to get a token, at `ProtectedResource.paths`. */
  readonly metadata: Handler
  /** Why keys could not be fetched last; `undefined` if they could. */
  readonly problem: () => string | undefined
  /** Of at least one issuer, tokens can be checked. */
  readonly isUsable: Effect.Effect<boolean>
}

interface Watched {
  readonly keys: IssuerKeys
  readonly fiber: Fiber.RuntimeFiber<never>
}

class UnknownKey extends Data.TaggedError("UnknownKey") {}

const invalid = (why: string): AccessToken.Refused => ({ _tag: "Invalid", why })

/** The parameter of RFC 6750, section 2.3. */
const hasTokenInAddress = ({ url = "" }: IncomingMessage): boolean => /[?&]access_token=/i.test(url)

export const make = (
  { auth, fetchKeys, place }: Options
): Effect.Effect<ResourceServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const jose = yield* Effect.promise(() => import("jose"))
    const { fork, promise } = yield* Fibers.make()
    const log = yield* RepeatedLines.make(({ text }) => Effect.logWarning(text))
    const watched = new Map<string, Watched>()

    const report = (issuer: string, problem: string | undefined): void =>
      void fork(Effect.logWarning(
        problem === undefined
          ? `the keys of ${issuer} can be fetched again`
          : `the keys of ${issuer} cannot be fetched; without keys that are at most an hour old its tokens are refused (this is logged once): ${problem}`
      ))

    const keyOf = (issuer: string, jwksUri: string | undefined): string => `${issuer} ${jwksUri ?? ""}`

    /** Follows the issuers that the options name now. */
    let last: McpConfig.Auth | undefined
    const current = (): McpConfig.Auth => {
      const now = auth()
      if (now === last) return now
      last = now
      const wanted = new Set(now.issuers.map((issuer) => keyOf(issuer, now.jwksUri)))
      for (const [key, { fiber }] of watched) {
        if (wanted.has(key)) continue
        watched.delete(key)
        fiber.unsafeInterruptAsFork(FiberId.none)
      }
      for (const issuer of now.issuers) {
        const key = keyOf(issuer, now.jwksUri)
        if (watched.has(key)) continue
        const keys = new IssuerKeys({
          issuer,
          jwksUri: now.jwksUri,
          fetchKeys,
          makeKeySet: jose.createLocalJWKSet,
          onChange: (problem) => report(issuer, problem)
        })
        watched.set(key, { keys, fiber: fork(keys.run) })
      }
      return now
    }
    current()

    /** Before anything of it is checked. */
    const decoded = (token: string) =>
      Effect.option(Effect.try(() => ({ header: jose.decodeProtectedHeader(token), claims: jose.decodeJwt(token) })))

    const verified = (token: string, issuer: string, keys: JWTVerifyGetKey, rules: AccessToken.Rules) =>
      Effect.map(
        Effect.tryPromise({
          try: () => jose.jwtVerify(token, keys, { ...AccessToken.optionsFor(rules), issuer }),
          catch: (error) =>
            error instanceof jose.errors.JWKSNoMatchingKey ? new UnknownKey() : AccessToken.reasonOf(error)
        }),
        ({ payload }) => payload
      )

    const claimsOf = (
      token: string,
      issuer: string,
      keys: IssuerKeys,
      rules: AccessToken.Rules
    ): Effect.Effect<JWTPayload, AccessToken.Refused | KeysUnavailable> =>
      Effect.flatMap(keys.known, (known) => verified(token, issuer, known, rules)).pipe(
        Effect.catchTag(
          "UnknownKey",
          () => Effect.flatMap(keys.afterUnknown, (known) => verified(token, issuer, known, rules))
        ),
        Effect.catchTag("UnknownKey", () => Effect.fail(invalid("it names a key that its issuer does not have")))
      )

    const refuse = (
      refused: AccessToken.Refused,
      issuer: string | undefined,
      request: IncomingMessage,
      auth: McpConfig.Auth
    ): Effect.Effect<Refusal> =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        const text = `an access token${issuer === undefined ? "" : ` of ${issuer}`} was refused: ${
          AccessToken.describe(refused)
        }`
        log(text, { at, server: null, level: "warning", text })
        return ProtectedResource.refusal(refused, request, place, auth)
      })

    const check = (token: string, request: IncomingMessage, auth: McpConfig.Auth): Effect.Effect<Caller | Refusal> =>
      Effect.gen(function*() {
        const found = yield* decoded(token)
        if (found._tag === "None") {
          return yield* refuse(invalid("it is not a JSON Web Token as it should be"), undefined, request, auth)
        }
        const { claims, header } = found.value
        const iss = String(claims.iss)
        const issuer = auth.issuers.find((one) => isSameIssuer(one, iss))
        const keys = issuer === undefined ? undefined : watched.get(keyOf(issuer, auth.jwksUri))?.keys
        if (issuer === undefined || keys === undefined) {
          return yield* refuse(invalid("it is of another issuer"), undefined, request, auth)
        }
        const foreign = AccessToken.checkType(header.typ)
        if (foreign !== undefined) return yield* refuse(foreign, issuer, request, auth)
        const audiences = auth.audiences.length > 0
          ? auth.audiences
          : ProtectedResource.defaultAudiences(place, request.socket.localPort ?? 0)
        const rules = { ...auth, audiences }
        return yield* claimsOf(token, iss, keys, rules).pipe(
          Effect.map((claims) => AccessToken.callerOf(issuer, claims, rules)),
          Effect.flatMap((answer) => "_tag" in answer ? Effect.fail(answer) : Effect.succeed(answer)),
          Effect.catchAll((error) =>
            error._tag === "KeysUnavailable"
              ? Effect.succeed(ProtectedResource.keysUnavailable)
              : refuse(error, issuer, request, auth)
          )
        )
      })

    return {
      isNeeded: true,
      check: (request) => {
        if (hasTokenInAddress(request)) return ProtectedResource.tokenInAddress
        const auth = current()
        const token = bearer(request.headers.authorization)
        return token === ""
          ? ProtectedResource.tokenMissing(request, place, auth)
          : promise(check(token, request, auth))
      },
      metadata: (request, response) => {
        const text = JSON.stringify(ProtectedResource.metadata(request, place, current()))
        const isRead = request.method === "GET" || request.method === "HEAD"
        response.writeHead(isRead ? 200 : 405, {
          ...(isRead ? {} : { Allow: "GET, HEAD", Connection: "close" }),
          "Content-Type": "application/json",
          "Cache-Control": "no-store"
        }).end(request.method === "GET" ? text : undefined)
      },
      problem: () => {
        const problems = [...watched.values()].flatMap(({ keys }) => keys.problem ?? [])
        return problems.length === 0 ? undefined : `keys cannot be fetched: ${problems.join("; ")}`
      },
      isUsable: Effect.map(
        Clock.currentTimeMillis,
        (now) => [...watched.values()].some(({ keys }) => keys.isUsable(now))
      )
    }
  })
