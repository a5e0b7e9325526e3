import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as Authentication from "../src/Authentication.js"
import * as Caller from "../src/Caller.js"
import type { Refusal } from "../src/Refusal.js"

const check = (authentication: Authentication.Authentication, authorization?: string) =>
  authentication.check({ headers: authorization === undefined ? {} : { authorization } } as never)

/** Of callers by their subjects. */
const byToken = (holders: Readonly<Record<string, ReadonlyArray<string>>>) =>
  Authentication.byToken(() =>
    Object.entries(holders).map(([subject, tokens]) => ({
      caller: { ...Caller.anyone, subject },
      tokens: tokens.map((token) => Redacted.make(token))
    }))
  )

describe("who sends a request", () => {
  it("[G6] the token is the same however the scheme is written", () => {
    expect(["Bearer a b", "bearer a b", "BEARER   a b"].map(Authentication.bearer)).toEqual(["a b", "a b", "a b"])
    expect([undefined, "", "Bearer", "Bearer  ", "Bearera", "Basic a", "a Bearer b"].map(Authentication.bearer))
      .toEqual(Array(7).fill(""))
  })

  it("[G6:unit] asks for the token, and for the whole of it", () => {
    const one = byToken({ "": ["letmein"] })
    expect([one.isNeeded, Authentication.none.isNeeded]).toEqual([true, false])
    const challenge = { status: 401, headers: { "WWW-Authenticate": "Bearer" } }
    for (const authorization of ["Bearer letmei", "Bearer letmeinn", "Basic letmein", "Bearer ", "letmein"]) {
      expect(check(one, authorization)).toMatchObject(challenge)
    }
    expect(check(one)).toMatchObject({
      ...challenge,
      message: "This gateway needs a token: send the header Authorization: Bearer <token>"
    })
    expect(check(one, "Bearer hush")).toMatchObject({ message: "The bearer token is not that of this gateway" })
    expect(check(one, "Bearer letmein")).toEqual(Caller.anyone)
    expect(check(Authentication.none)).toEqual(Caller.anyone)
  })

  it("[G26] [G22:unit] a token lets in the one who has it now, of whose tokens each does, and nobody where two have the same", () => {
    const holders: Record<string, ReadonlyArray<string>> = { "": ["own"], a: ["a", "old"], b: ["b"] }
    const all = byToken(holders)
    const said = (token: string) => check(all, `Bearer ${token}`)
    expect(["own", "a", "old", "b"].map(said)).toMatchObject(["", "a", "a", "b"].map((subject) => ({ subject })))
    expect(said("ab")).toMatchObject({ status: 401, message: expect.stringMatching(/nor of one of its clients$/) })
    Object.assign(holders, { "": ["new", "own"], b: ["a"] })
    expect(["new", "own", "old"].map(said)).toMatchObject(["", "", "a"].map((subject) => ({ subject })))
    expect(["a", "b"].map(said)).toMatchObject([
      { status: 401, message: expect.stringContaining("that of several clients") },
      { status: 401 }
    ])
    holders["b"] = ["own"]
    expect(said("own")).toMatchObject({ status: 401 })
  })

  it("[G21:unit G22] of several, the first that lets the caller in does; else the one that knows its credentials says why not", async () => {
    const known = (name: string, answer: Caller.Caller | Refusal, later = false): Authentication.Authentication => ({
      isNeeded: true,
      check: ({ headers }) => {
        const found = headers.authorization === `Bearer ${name}` ? answer : Authentication.unauthorized(`not ${name}`)
        return later ? Promise.resolve(found) : found
      }
    })
    const ada = { subject: "ada", claims: {} }
    const bob = { subject: "bob", claims: {} }
    const all = Authentication.oneOf([
      known("ada", ada),
      known("slow", { status: 429, message: "slow down" }),
      known("bob", bob, true),
      known("last", ada)
    ])
    expect(check(all, "Bearer ada")).toEqual(ada)
    expect(await check(all, "Bearer bob")).toEqual(bob)
    expect(await check(all, "Bearer last")).toEqual(ada)
    expect(await check(all, "Bearer slow")).toMatchObject({ status: 429 })
    expect(await check(all, "Bearer eve")).toMatchObject({ status: 401, message: "not last" })
    expect([all.isNeeded, Authentication.oneOf([known("ada", ada), Authentication.none]).isNeeded]).toEqual([
      true,
      false
    ])
  })

  it("[G22] the owner of what a caller has is told by its mark, which does not tell the name", () => {
    const [one, other] = ["https://issuer.example ada", "https://issuer.example bob"].map((subject) =>
      Caller.ownerOf({ subject, claims: {} })
    )
    expect(one).not.toBe(other)
    expect(one).not.toContain("ada")
    expect(Caller.ownerOf(Caller.anyone)).toBe("")
  })
})
