import type { McpConfig } from "@mcp-lifeline/config"
import { errors } from "jose"
import { describe, expect, it } from "vitest"
import * as AccessToken from "../../src/access/AccessToken.js"
import * as Claims from "../../src/access/claims.js"
import { authOf } from "../support/Issuer.js"

const rulesOf = (changes: Partial<McpConfig.Auth> = {}): AccessToken.Rules =>
  authOf({ issuers: ["https://issuer"], audiences: ["https://gateway/mcp"], ...changes })

const exp = 1_800_000_000
const caller = (claims: Record<string, unknown>, changes?: Partial<McpConfig.Auth>) =>
  AccessToken.callerOf("https://issuer", { sub: "ann", exp, ...claims }, rulesOf(changes))

describe("the caller of an access token", () => {
  it.each([0, 1, 999, 1000, 30_000, 600_000])(
    "[G21:unit] is let in for a tolerance of %d ms after its token has ended, at the check and in what it listens to",
    (clockTolerance) => {
      // The claim and what `jose` gets are in seconds, and what a stream waits for is in milliseconds.
      expect(caller({}, { clockTolerance })).toMatchObject({ expiresAt: 1_800_000_000_000 + clockTolerance })
      expect(AccessToken.optionsFor(rulesOf({ clockTolerance })).clockTolerance).toBe(clockTolerance / 1000)
    }
  )

  it("[G21:unit] is checked against what the file says, and nothing else", () => {
    expect(AccessToken.optionsFor(rulesOf({ audiences: ["a", "b"], algorithms: ["ES256", "EdDSA"] }))).toEqual({
      audience: ["a", "b"],
      algorithms: ["ES256", "EdDSA"],
      requiredClaims: ["exp", "sub"],
      clockTolerance: 30
    })
  })

  it.each<[string, Record<string, unknown>, string]>([
    ["preferred_username", { preferred_username: "Ann", email: "a@x", client_id: "c" }, "Ann"],
    ["email, where the first has no text", { preferred_username: "", email: "a@x", client_id: "c" }, "a@x"],
    ["client_id, where the others are no texts", { preferred_username: 7, email: null, client_id: "c" }, "c"],
    ["its subject, where it has no other", {}, "ann"]
  ])("[G22:unit] is called by %s, and is told from others by issuer and subject alone", (_, claims, name) => {
    expect(caller(claims)).toMatchObject({ subject: "https://issuer ann", name })
  })

  it.each<[string, Record<string, unknown>, Partial<McpConfig.Auth>, object]>([
    ["a subject that is no text", { sub: 7 }, {}, { _tag: "Invalid", why: expect.stringContaining("subject") }],
    ["an empty subject", { sub: "" }, {}, { _tag: "Invalid", why: expect.stringContaining("subject") }],
    ...["at_hash", "c_hash", "events"].map((name) =>
      [name, { [name]: "" }, {}, { _tag: "Invalid", why: expect.stringContaining("login or logout") }] as [
        string,
        Record<string, unknown>,
        Partial<McpConfig.Auth>,
        object
      ]
    ),
    ["one of two scopes", { scope: "a" }, { requiredScopes: ["a", "b"] }, { _tag: "Scopes" }],
    ["a scope as a part of another", { scope: "ab", scp: ["a b"] }, { requiredScopes: ["a"] }, { _tag: "Scopes" }],
    ["no such claim", {}, { claims: { team: ["x"] } }, { _tag: "Claim", claim: "team" }],
    ["the first of two claims", { team: "x" }, { claims: { team: ["x"], role: ["y"] } }, {
      _tag: "Claim",
      claim: "role"
    }],
    ["a claim of what it inherits", {}, { claims: { "constructor.name": ["Object"] } }, {
      _tag: "Claim",
      claim: "constructor.name"
    }]
  ])("[G21:unit] is nobody with %s", (_, claims, changes, refused) => {
    expect(caller(claims, changes)).toEqual(refused)
  })

  it("[G21:unit] has the scopes of both claims, and a claim by its name before its path", () => {
    expect(caller({ scope: "a", scp: ["b"] }, { requiredScopes: ["a", "b"] })).toHaveProperty("subject")
    const both = { "realm.roles": "one", realm: { roles: ["two"] } }
    expect(Claims.find(both, "realm.roles")).toBe("one")
    expect(AccessToken.hasClaim({ realm: { roles: ["two", "three"] } }, "realm.roles", ["three"])).toBe(true)
  })

  it.each([
    ...[undefined, "at+jwt", "AT+JWT", "application/at+jwt", "JWT"].map((type) => [type, true] as const),
    ...["logout+jwt", "id+jwt", "", 7, null].map((type) => [type, false] as const)
  ])("[G21:unit] of a header with the type %j may be one: %s", (type, isAccepted) => {
    expect(AccessToken.checkType(type) === undefined).toBe(isAccepted)
  })

  it.each<[string, unknown, string]>([
    ["it has ended", new errors.JWTExpired("no", {}, "exp", "check_failed"), "it has expired"],
    ["the signature", new errors.JWSSignatureVerificationFailed(), "its signature is wrong"],
    ["the algorithm", new errors.JOSEAlgNotAllowed("no"), "algorithm that is not accepted"],
    ["the audience", new errors.JWTClaimValidationFailed("no", {}, "aud", "check_failed"), "another audience"],
    ["the issuer", new errors.JWTClaimValidationFailed("no", {}, "iss", "check_failed"), "another issuer"],
    ["a time to come", new errors.JWTClaimValidationFailed("no", {}, "nbf", "check_failed"), "not valid yet"],
    ["anything else", new Error("eyJ-a-part-of-the-token"), "it is not a JSON Web Token as it should be"],
    ["nothing", undefined, "it is not a JSON Web Token as it should be"]
  ])("[G21:unit X1] is told why it is refused for %s, without anything of the token", (_, error, why) => {
    const refused = AccessToken.reasonOf(error)
    expect(AccessToken.describe(refused)).toContain(why)
    expect(AccessToken.describe(refused)).not.toContain("eyJ")
  })
})
