import { describe, expect, it } from "@effect/vitest"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { Redacted } from "effect"
import * as ClientTokens from "../../src/access/ClientTokens.js"

describe("tokens of clients", () => {
  it("[G22:unit] let in the one client that has them now, and nobody where two have the same", () => {
    let b = ["b"]
    const { check } = ClientTokens.authentication(() => [
      { name: "a", current: () => [Redacted.make("a"), Redacted.make("old")] },
      { name: "b", current: () => b.map((one) => Redacted.make(one)) }
    ])
    const said = (token: string) => check({ headers: { authorization: `Bearer ${token}` } } as never)
    expect(["a", "old", "b"].map(said)).toMatchObject([{ name: "a" }, { name: "a" }, { name: "b" }])
    expect(said("a")).toBe(said("old"))
    b = ["a"]
    expect(["a", "b", "", "ab"].map(said)).toMatchObject([401, 401, 401, 401].map((status) => ({ status })))
    expect(said("old")).toMatchObject({ name: "a" })
  })

  it("[G22:unit] that are refused have a reason: none was sent, several have it, or nobody", () => {
    let clients = ["a", "b"]
    const { check } = ClientTokens.authentication(() =>
      clients.map((name) => ({ name, current: () => [Redacted.make("same")] }))
    )
    const said = (authorization?: string) => check({ headers: { authorization } } as never)
    expect([said(), said("Basic same")]).toEqual([Authentication.noToken, Authentication.noToken])
    expect(said("Bearer same")).toMatchObject({ message: expect.stringContaining("that of several clients") })
    expect(said("Bearer wrong")).toMatchObject({
      message: expect.stringMatching(/this gateway, nor of one of its clients$/)
    })
    clients = []
    expect(said("Bearer wrong")).toMatchObject({ message: expect.stringMatching(/not that of this gateway$/) })
  })
})
