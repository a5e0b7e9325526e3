import { describe, expect, it } from "vitest"
import { readAuth, readTop } from "../src/McpConfig.js"

const issuer = "https://sso.example.com"

const problemsOf = (auth: unknown) =>
  readTop({ mcpServers: {}, lifeline: { auth } }).problems.map(({ message, path }) =>
    `${path.slice(2).join(".")} ${message}`
  )

const read = (auth: object, variables = {}) =>
  readAuth(auth, { variables }, (text) => text.startsWith("https:") ? undefined : "is not https")

describe("lifeline.auth", () => {
  it("[G21:unit] takes one or several of what there can be several of, and has defaults", () => {
    expect(problemsOf({ issuer })).toEqual([])
    expect(read({ issuer })).toEqual({
      problems: [],
      value: {
        issuers: [issuer],
        audiences: [],
        requiredScopes: [],
        claims: {},
        algorithms: expect.arrayContaining(["RS256", "ES256", "EdDSA"]),
        jwksUri: undefined,
        clockTolerance: 30_000
      }
    })
    const all = {
      issuer: [issuer, "https://other.example/realm", issuer],
      audience: "api://lifeline",
      requiredScopes: ["mcp:read", "https://example.com/mcp"],
      claims: { groups: ["a", "b"], tenant: "t", level: 3, verified: true },
      algorithms: "RS256",
      clockTolerance: "2 minutes"
    }
    expect(problemsOf(all)).toEqual([])
    expect(read(all).value).toEqual({
      issuers: [issuer, "https://other.example/realm"],
      audiences: ["api://lifeline"],
      requiredScopes: ["mcp:read", "https://example.com/mcp"],
      claims: { groups: ["a", "b"], tenant: ["t"], level: [3], verified: [true] },
      algorithms: ["RS256"],
      jwksUri: undefined,
      clockTolerance: 120_000
    })
    expect(read({ issuer: "https://${HOST}" }, { HOST: "sso.example" }).value?.issuers).toEqual(["https://sso.example"])
  })

  it.each<[string, unknown, string]>([
    ["no issuer", {}, "issuer is missing; give the address of your authorization server"],
    ["no object", "https://sso.example.com", " is a string; accepted: an object of options"],
    ["an empty list", { issuer: [] }, "issuer is empty; give at least one"],
    ["a number", { issuer: 1 }, "issuer is a number; accepted: a string that is not empty"],
    ["an audience that is none", { issuer, audience: [""] }, "audience.0 is empty"],
    [
      "a list of scopes in one text",
      { issuer, requiredScopes: ["a b"] },
      'requiredScopes.0 is "a b"; accepted: a scope, without spaces'
    ],
    [
      "scopes that are no list",
      { issuer, requiredScopes: "a" },
      "requiredScopes is a string; accepted: an array of scopes"
    ],
    ["a claim without values", { issuer, claims: { groups: [] } }, "claims.groups is empty"],
    [
      "a claim that is an object",
      { issuer, claims: { groups: {} } },
      "claims.groups is an object; accepted: a string, a number"
    ],
    ["no algorithm", { issuer, algorithms: ["none"] }, 'algorithms.0 is "none"; accepted: "RS256"'],
    ["a shared secret", { issuer, algorithms: "HS256" }, 'algorithms is "HS256"; accepted: "RS256"'],
    ["a long tolerance", { issuer, clockTolerance: "1 h" }, 'clockTolerance is "1 h"; accepted: 0 ms to 5 min'],
    [
      "keys of several issuers",
      { issuer: [issuer, "https://b"], jwksUri: "https://c" },
      "jwksUri is that of one issuer"
    ],
    ["another name", { issuer, audiences: "x" }, 'audiences is not an option of auth; did you mean "audience"?']
  ])("[G21:unit] refuses %s", (_, auth, problem) => {
    expect(problemsOf(auth)).toEqual([expect.stringContaining(problem)])
  })

  it("[G21:unit] refuses addresses that are none, or that anybody could answer for, once references are replaced", () => {
    const wrong = (auth: object) => {
      const { problems, value } = read(auth)
      expect(value).toBeUndefined()
      return problems.map(({ message, path }) => `${path.join(".")} ${message}`)
    }
    expect(wrong({ issuer: "http://sso.example.com" })).toEqual(["issuer is not https"])
    expect(wrong({ issuer: [issuer, "http://b"] })).toEqual(["issuer.1 is not https"])
    expect(wrong({ issuer: `${issuer}/?tenant=1` })).toEqual([expect.stringContaining("issuer has a query")])
    expect(wrong({ issuer, jwksUri: "ftp://x" })).toEqual(["jwksUri is not https"])
    expect(wrong({ issuer: "${NOT_SET}" })).toEqual([expect.stringContaining("issuer")])
  })
})
