/**
 * Checks an access token (RFC 9068, and what issuers signed before it): who has signed it, for whom, and what it allows.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { Predicate } from "effect"
import type { JWTPayload, JWTVerifyOptions } from "jose"

/** What a token is checked against. */
export interface Rules extends McpConfig.Auth {
  /** For whom tokens are, with the default filled in. */
  readonly audiences: ReadonlyArray<string>
}

/**
 * Why a token is refused. No text has anything of the token.
 * - `Invalid`: it is none that counts here.
 * - `Scopes`: a scope is missing. `Claim`: that claim has none of the values that it must have.
 */
export type Refused =
  | { readonly _tag: "Invalid"; readonly why: string }
  | { readonly _tag: "Scopes" }
  | { readonly _tag: "Claim"; readonly claim: string }

/** A refusal, for the log. */
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

/** The types that a header may name: that of RFC 9068, and that which most issuers write. Others are not meant for us, such as `logout+jwt`. */
const types: ReadonlySet<string> = new Set(["at+jwt", "application/at+jwt", "jwt", "application/jwt"])

/** Claims that only tokens for other purposes have: those that tell a client who has signed in, and those that tell of a logout. */
const foreign = ["at_hash", "c_hash", "events"]

const strings = (value: unknown): ReadonlyArray<string> =>
  Predicate.isString(value)
    ? value.split(" ")
    : Array.isArray(value)
    ? value.filter(Predicate.isString)
    : []

/** The scopes of a token: `scope` (RFC 8693), or `scp`, as some issuers write it. */
const scopesOf = (claims: JWTPayload): ReadonlySet<string> =>
  new Set([...strings(claims["scope"]), ...strings(claims["scp"])])

/** The value of a claim by its name; a name with dots that no claim has leads into objects, such as `realm_access.roles`. */
export const claimOf = (claims: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : name.split(".").reduce<unknown>(
    (value, key) => Predicate.isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined,
    claims
  )

/** Whether a claim is one of these values, or a list with one of them. */
export const hasClaim = (
  claims: Readonly<Record<string, unknown>>,
  name: string,
  accepted: ReadonlyArray<McpConfig.ClaimValue>
): boolean => {
  const value = claimOf(claims, name)
  return (Array.isArray(value) ? value : [value]).some((one) => accepted.includes(one as McpConfig.ClaimValue))
}

export const optionsFor = (rules: Rules): JWTVerifyOptions => ({
  audience: [...rules.audiences],
  algorithms: [...rules.algorithms],
  requiredClaims: ["exp", "sub"],
  clockTolerance: rules.clockTolerance / 1000
})

/** Looks at the header before anything is computed. */
export const checkType = (type: unknown): Refused | undefined =>
  type === undefined || (Predicate.isString(type) && types.has(type.toLowerCase()))
    ? undefined
    : { _tag: "Invalid", why: "it is no access token: its header has another type" }

/** Who sends a token whose signature, issuer, audience and times are right; or why it is not enough. */
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

/** What an error of `jose` means, by its code and the claim that it is about. */
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
