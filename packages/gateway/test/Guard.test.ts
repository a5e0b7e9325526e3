import { describe, expect, it } from "@effect/vitest"
import { Redacted } from "effect"
import * as Guard from "../src/http/Guard.js"

const local = { host: "127.0.0.1", token: undefined }
const status = (headers: Record<string, string>, rules: Guard.Rules = local) => Guard.check(headers, rules)?.status

describe("Guard", () => {
  it.each(["127.0.0.1:7332", "localhost:7332", "[::1]:7332", "LOCALHOST", "127.8.8.8", "app.localhost:1"])(
    "[G6:unit] bound to loopback, answers to %s",
    (host) => expect(status({ host })).toBeUndefined()
  )

  it.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:7332",
    "127.0.0.1@evil.example",
    "[::2]",
    "0.0.0.0:7332",
    "192.168.0.1",
    "not a host",
    ""
  ])("[G6:unit] bound to loopback, refuses the Host %j", (host) => expect(status({ host })).toBe(403))

  it("[G6:unit] refuses a request without a Host", () => expect(status({})).toBe(403))

  it("[G6:unit] lets pages of this machine ask, and no others", () => {
    const host = "127.0.0.1:7332"
    expect(status({ host, origin: "http://localhost:6274" })).toBeUndefined()
    for (const origin of ["https://evil.example", "null", "file://", "http://localhost.evil.example"]) {
      expect(status({ host, origin })).toBe(403)
    }
  })

  it("[G6:unit] says what is refused, and what would be right", () => {
    const message = (headers: Record<string, string>, rules = local) => Guard.check(headers, rules)?.message
    expect(message({ host: "host.docker.internal:7332" })).toBe(
      `This gateway serves this machine only, as localhost or 127.0.0.1, and not as "host.docker.internal": to serve other `
        + "machines, start it with --host and a token"
    )
    expect(message({ host: "localhost", origin: `https://${"x".repeat(200)}.example` })).toBe(
      `Pages of "https://${"x".repeat(92)}" may not use this gateway, only those of this machine`
    )
    expect(message({})).toBe("The request has no Host header that names a host")
  })

  it("[G6:unit] asks for the token, and for the whole of it", () => {
    const rules = { host: "0.0.0.0", token: Redacted.make("letmein") }
    const host = "gateway.example:7332"
    expect(status({ host }, rules)).toBe(401)
    for (const authorization of ["Bearer letmei", "Bearer letmeinn", "Basic letmein", "Bearer ", "letmein"]) {
      expect(status({ host, authorization }, rules)).toBe(401)
    }
    expect(Guard.check({ host }, rules)?.message).toBe(
      "This gateway needs a token: send the header Authorization: Bearer <token>"
    )
    expect(Guard.check({ host, authorization: "Bearer hush" }, rules)?.message).toBe(
      "The bearer token is not that of this gateway"
    )
    expect(status({ host, authorization: "Bearer letmein" }, rules)).toBeUndefined()
    expect(status({ host, authorization: "Bearer letmein", origin: "https://evil.example" }, rules)).toBe(403)
    expect(status({ host, authorization: "Bearer letmein", origin: "https://gateway.example" }, rules)).toBeUndefined()
  })
})
