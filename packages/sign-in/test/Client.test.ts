import { Redacted } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Client from "../src/Client.js"

const issuer = "https://login.example"
const key: Client.SigningKey = { key: Redacted.make("private"), algorithm: "ES256" }
const file: Client.SigningKey = { file: "/keys/one.pem", algorithm: "ES256" }

describe("the key of a configured client", () => {
  it("[A1 C10] signs for the client and the authorization server for which it was configured, and for no other", () => {
    const client = (origin: Client.Client["origin"]): Client.Client => ({ origin, id: "robot", redirects: [] })
    const keyFor = (configured: Client.Configured, origin: Client.Client["origin"], of: string) =>
      Client.signingKeyFor(configured, { client: client(origin), issuer: of })
    expect(keyFor({ issuer, signingKey: key }, "configured", issuer)).toBe(key)
    expect(keyFor({ issuer, signingKey: key }, "configured", `${issuer}/`)).toBe(key)
    expect(keyFor({ issuer, signingKey: key }, "configured", "https://other.example")).toBeUndefined()
    expect(keyFor({ signingKey: key }, "configured", issuer)).toBeUndefined()
    for (const origin of ["registered", "document"] as const) {
      expect(keyFor({ issuer, signingKey: key }, origin, issuer)).toBeUndefined()
    }
  })

  test.effect("[A1 C10] only the path of a file stays with a login; a key that was given is not kept", function*() {
    const clientFor = (signingKey: Client.SigningKey | undefined) =>
      Client.configuredFor({ id: "robot", issuer, signingKey }, issuer)
    expect(yield* clientFor(file)).toMatchObject({ id: "robot", issuer, redirects: [], signing: file })
    expect(yield* clientFor(key)).toMatchObject({ id: "robot", signing: undefined })
    expect(yield* clientFor(undefined)).toMatchObject({ id: "robot", signing: undefined })
    expect(yield* Client.configuredFor({ issuer }, issuer)).toBeUndefined()
  })
})
