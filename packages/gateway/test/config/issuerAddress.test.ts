import { describe, expect, it } from "vitest"
import { problemOf } from "../../src/config/issuerAddress.js"

describe("the address of an authorization server", () => {
  it.each([
    "https://issuer.example",
    "HTTPS://issuer.example/realms/a?b=c",
    "https://192.168.7.1:8443/",
    "http://localhost:8080/realms/a",
    "http://127.0.0.1",
    "http://[::1]:1/",
    "http://login.localhost/"
  ])("[G21 X2:unit] may be %s", (text) => {
    expect(problemOf(text)).toBeUndefined()
  })

  const none = ["", "issuer.example", "at https://issuer.example", "file:///etc/passwd", "ftp://issuer.example"]
  const odd = [
    "https:issuer.example",
    "https:///issuer.example",
    "https:// issuer.example",
    "https://issuer.example:port"
  ]

  it.each<[string, string]>([
    ...[...none, ...odd].map((text): [string, string] => [text, "is not an address"]),
    ["https://ann@issuer.example", "has a user name or password"],
    ["https://:secret@issuer.example", "has a user name or password"],
    ["http://issuer.example", "is not https"],
    ["http://127.0.0.1.example", "is not https"],
    ["http://192.168.7.1", "is not https"]
  ])("[G21 X2:unit] may not be %j: it %s", (text, problem) => {
    expect(problemOf(text)?.startsWith(problem)).toBe(true)
  })
})
