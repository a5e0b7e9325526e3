/**
 * Whose access tokens a gateway accepts (`lifeline.auth`).
 */
import { Check, Problem, TimeSpan } from "@mcp-lifeline/core/options"
import { Predicate } from "effect"
import { expand, type Raw, type Sources } from "./Expansion.js"

export type ClaimValue = string | number | boolean

export interface Auth {
  /** At least one. */
  readonly issuers: ReadonlyArray<string>
  /** A token is for one of these. Empty: for the URL of the endpoint. */
  readonly audiences: ReadonlyArray<string>
  readonly requiredScopes: ReadonlyArray<string>
  /** A token has each claim, with one of the values. */
  readonly claims: Readonly<Record<string, ReadonlyArray<ClaimValue>>>
  readonly algorithms: ReadonlyArray<string>
  /** Of the only issuer. Default: where its metadata say. */
  readonly jwksUri: string | undefined
  /** Between an issuer's clock and ours, in milliseconds. */
  readonly clockTolerance: number
}

/** Those of RFC 7518 and RFC 8037 with a public key: no shared secret, and not `none`. */
const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
] as const

const defaultTolerance = 30_000

const oneOrMore = (one: Check.Check, accepted: string): Check.Check =>
  Check.described((value, path) => {
    if (!Array.isArray(value)) return one(value, path)
    return value.length > 0
      ? Check.list(one, accepted)(value, path)
      : [{ path, message: "is empty; give at least one" }]
  }, { anyOf: [one.schema, { type: "array", items: one.schema, minItems: 1 }] })

const scalars = ["string", "number", "boolean"]

/** RFC 6749, section 3.3. */
const scopeForm = /^[\x21\x23-\x5B\x5D-\x7E]+$/

const table = {
  issuer: oneOrMore(Check.text, "an array of addresses"),
  audience: oneOrMore(Check.text, "an array of strings"),
  requiredScopes: Check.list(
    Check.matching(scopeForm, "a scope, without spaces: each is an element"),
    "an array of scopes"
  ),
  claims: Check.values(
    oneOrMore(
      Check.isSecret(
        (value) => scalars.includes(typeof value),
        "a string, a number, true, false, or an array of these",
        { type: scalars }
      ),
      "an array of values"
    ),
    "an object with the values that claims must have"
  ),
  algorithms: oneOrMore(Check.oneOf(...algorithms), "an array of algorithms"),
  jwksUri: Check.text,
  clockTolerance: Check.span(0, 300_000)
}
const options = Check.options(table, "auth")

/** References to variables are not replaced yet. */
export const check: Check.Check = Check.described((value, path) => {
  const found = options(value, path)
  if (!Predicate.isRecord(value)) return found
  if (value["issuer"] === undefined) {
    const message = "is missing; give the address of your authorization server, such as https://sso.example.com"
    return [...found, { path: [...path, "issuer"], message }]
  }
  return value["jwksUri"] !== undefined && Array.isArray(value["issuer"]) && value["issuer"].length > 1
    ? [...found, { path: [...path, "jwksUri"], message: "is that of one issuer, and there are several; leave it out" }]
    : found
}, {
  type: "object",
  properties: options.schema?.["properties"],
  required: ["issuer"],
  additionalProperties: false
})

const listOf = <A>(value: unknown): ReadonlyArray<A> =>
  value === undefined ? [] : Array.isArray(value) ? value as ReadonlyArray<A> : [value as A]

const notAsClaimed = "has a query or a fragment; write it as the authorization server does in the claim iss"

/**
 * The option was checked; problems have paths in it. `addressProblem`: why keys are not fetched from an address, as a predicate.
 */
export const read = (
  given: unknown,
  sources: Sources,
  addressProblem: (text: string) => string | undefined
): { readonly value: Auth | undefined; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const problems: Array<Problem.Problem> = []
  const raw = expand(given, sources, (path, message) => problems.push({ path, message })) as Raw
  if (problems.length > 0) return { problems, value: undefined }
  const issuers = listOf<string>(raw["issuer"])
  const jwksUri = raw["jwksUri"] as string | undefined
  issuers.forEach((issuer, index) => {
    // An issuer is compared as a text, and its metadata are found by its path (RFC 8414, section 2).
    const message = addressProblem(issuer) ?? (/[?#]/.test(issuer) ? notAsClaimed : undefined)
    if (message !== undefined) {
      problems.push({ path: Array.isArray(raw["issuer"]) ? ["issuer", index] : ["issuer"], message })
    }
  })
  const wrongKeys = jwksUri === undefined ? undefined : addressProblem(jwksUri)
  if (wrongKeys !== undefined) problems.push({ path: ["jwksUri"], message: wrongKeys })
  const accepted = listOf<string>(raw["algorithms"])
  const tolerance = raw["clockTolerance"] as TimeSpan.TimeSpan | undefined
  return {
    problems,
    value: problems.length > 0 ? undefined : {
      issuers: [...new Set(issuers)],
      audiences: listOf(raw["audience"]),
      requiredScopes: listOf(raw["requiredScopes"]),
      claims: Object.fromEntries(
        Object.entries((raw["claims"] ?? {}) as Raw).map(([name, value]) => [name, listOf<ClaimValue>(value)])
      ),
      algorithms: accepted.length === 0 ? algorithms : accepted,
      jwksUri,
      clockTolerance: tolerance === undefined ? defaultTolerance : TimeSpan.millis(tolerance)
    }
  }
}
