import { describe, expect, it } from "vitest"
import { clientOf } from "../../src/audit/Audit.js"

/** What the audit has of a text, as the name, the program and the version of a client. */
const shown = (text: string) => {
  const { name, program, version } = clientOf({ name: text, subject: "", claims: {} }, {
    clientInfo: { name: text, version: text }
  })
  return [name, program, version]
}

const secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/** Texts with the secret after so many other characters. */
const texts: Readonly<Record<string, (before: string) => string>> = {
  "a key": (before) => `${before} sk-${secret}`,
  "a credential of HTTP": (before) => `${before} Bearer ${secret}`,
  "an assignment": (before) => `${before} password=${secret}`,
  "a private key": (before) => `${before} -----BEGIN PRIVATE KEY-----\n${secret}`,
  "JSON": (before) => JSON.stringify({ before, password: secret.repeat(20) }),
  "a password of a URL": (before) => `${before} https://user:${secret}@mcp.example`
}

describe.each(Object.entries(texts))("%s in a text of a client", (_, make) => {
  it("[G23:unit] is masked wherever it stands, also where the text is cut", () => {
    for (let before = 380; before <= 510; before++) {
      for (const text of shown(make("x".repeat(before)))) {
        expect(text?.length).toBeLessThanOrEqual(500)
        expect(text).not.toContain(secret.slice(0, 4))
      }
    }
  })
})
