/**
 * Checks tokens of RFC 9068, and what issuers signed before it.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Predicate } from "effect"
import type { JWTPayload, JWTVerifyOptions } from "jose"
import * as Claims from "./claims.js"

export interface Rules extends McpConfig.Auth {
  /** With the default filled in. */
  readonly audiences: ReadonlyArray<string>
}

/** Without anything of the token. `Invalid`: it does not count here. `Claim`: it has none of the accepted values. */
export type Refused =
  | { readonly _tag: "Invalid"; readonly why: string }
  | { readonly _tag: "Scopes" }
  | { readonly _tag: "Claim"; readonly claim: string }

export const describe = (refused: Refused): string => {
  switch (refused._tag) {
    case "Invalid":
      return refused.why
    case "Scopes":
      return "it lacks a scope of lifeline.auth.requiredScopes"
    case "Claim":
      return `its claim ${refused.claim} is missing, or has none of the values of lifeline.auth.claims`
  }
}

/** That of RFC 9068, and what most issuers write. Others are not meant for us, such as `logout+jwt`. */
const types: ReadonlySet<string> = new Set(["at+jwt", "application/at+jwt", "jwt", "application/jwt"])

/** Of tokens that tell a client who has signed in, or of a logout. */
const foreign = ["at_hash", "c_hash", "events"]

const strings = (value: unknown): ReadonlyArray<string> =>
  Predicate.isString(value)
    ? value.split(" ")
    : Array.isArray(value)
    ? value.filter(Predicate.isString)
    : []

/** `scope` (RFC 8693), or `scp`, as some issuers write it. */
const scopesOf = (claims: JWTPayload): ReadonlySet<string> =>
  new Set([...strings(claims["scope"]), ...strings(claims["scp"])])

export const hasClaim = (
  claims: Readonly<Record<string, unknown>>,
  name: string,
  accepted: ReadonlyArray<McpConfig.ClaimValue>
): boolean => {
  const value = Claims.find(claims, name)
  return (Array.isArray(value) ? value : [value]).some((one) => accepted.includes(one as McpConfig.ClaimValue))
}

export const optionsFor = (rules: Rules): JWTVerifyOptions => ({
  audience: [...rules.audiences],
  algorithms: [...rules.algorithms],
  requiredClaims: ["exp", "sub"],
  clockTolerance: rules.clockTolerance / 1000
})

/** Before anything is computed. */
export const checkType = (type: unknown): Refused | undefined =>
  type === undefined || (Predicate.isString(type) && types.has(type.toLowerCase()))
    ? undefined
    : { _tag: "Invalid", why: "it is no access token: its header has another type" }

export const callerOf = (issuer: string, claims: JWTPayload, rules: Rules): Caller | Refused => {
  const { exp = 0, sub } = claims
  if (!Predicate.isString(sub) || sub === "") return { _tag: "Invalid", why: "it has no subject (sub)" }
  if (foreign.some((name) => claims[name] !== undefined)) {
    return { _tag: "Invalid", why: "it is no access token, but one that tells a client of a login or logout" }
  }
  const scopes = scopesOf(claims)
  if (!rules.requiredScopes.every((scope) => scopes.has(scope))) return { _tag: "Scopes" }
  for (const [claim, accepted] of Object.entries(rules.claims)) {
    if (!hasClaim(claims, claim, accepted)) return { _tag: "Claim", claim }
  }
  const names = ["preferred_username", "email", "client_id"].map((name) => claims[name])
  return {
    // An issuer has no space.
    subject: `${issuer} ${sub}`,
    name: names.find((name): name is string => Predicate.isString(name) && name !== "") ?? sub,
    claims,
    expiresAt: exp * 1000 + rules.clockTolerance
  }
}

/** By the code of an error of `jose`, or its claim. */
const reasons: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: "it has expired",
  ERR_JOSE_ALG_NOT_ALLOWED: "it is signed by an algorithm that is not accepted",
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: "it does not say by which of several keys of its issuer it is signed",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "its signature is wrong"
}
const claims: Readonly<Record<string, string>> = {
  aud: "it is for another audience",
  iss: "it is of another issuer",
  nbf: "it is not valid yet: a clock may be wrong",
  exp: "it does not say when it expires (exp)",
  sub: "it has no subject (sub)"
}

export const reasonOf = (error: unknown): Refused => {
  const { claim, code } = Predicate.isRecord(error) ? error : {}
  const why = reasons[String(code)] ?? claims[String(claim)]
  return { _tag: "Invalid", why: why ?? "it is not a JSON Web Token as it should be" }
}
