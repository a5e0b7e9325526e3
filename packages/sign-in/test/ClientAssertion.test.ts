import { constants, generateKeyPairSync, verify } from "node:crypto"
import { describe, expect, it } from "vitest"
import * as ClientAssertion from "../src/ClientAssertion.js"

const issuer = "https://login.example"

const [rsa, p256, p384, p521, ed] = [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
  generateKeyPairSync("ec", { namedCurve: "P-384" }),
  generateKeyPairSync("ec", { namedCurve: "P-521" }),
  generateKeyPairSync("ed25519")
]

const add = async (key: string, algorithm: string) => {
  const form = new URLSearchParams()
  await ClientAssertion.add(form, { algorithm, client: "a client", issuer, key })
  return form
}

const decoded = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString())

describe("the assertion of a client", () => {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  const algorithms = [
    ["RS256", rsa, "sha256", {}],
    ["PS384", rsa, "sha384", { padding, saltLength: 48 }],
    ["ES256", p256, "sha256", {}],
    ["ES384", p384, "sha384", {}],
    ["ES512", p521, "sha512", {}],
    ["EdDSA", ed, undefined, {}],
    ["Ed25519", ed, undefined, {}]
  ] as const

  it.each(algorithms)(
    "[A1] is signed with %s by a key in PEM or a JWK, and is one that servers take",
    async (algorithm, { privateKey, publicKey }, hash, more) => {
      const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      const jwk = (kid: unknown) => `\n${JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid })}`
      const texts = [
        [pem, { alg: algorithm }],
        [jwk("one"), { alg: algorithm, kid: "one" }],
        [jwk(undefined), { alg: algorithm }],
        [jwk(1), { alg: algorithm }]
      ] as const
      for (const [text, header] of texts) {
        const form = await add(text, algorithm)
        expect(form.get("client_assertion_type")).toBe("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        const [head = "", body = "", signature = ""] = form.get("client_assertion")?.split(".") ?? []
        const key = { key: publicKey, dsaEncoding: "ieee-p1363", ...more } as const
        expect(verify(hash, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))).toBe(true)
        expect(decoded(head)).toEqual(header)
        const claims = decoded(body)
        expect(claims).toEqual({
          iss: "a client",
          sub: "a client",
          aud: issuer,
          jti: expect.stringMatching(/^[\w-]{20,}$/),
          iat: expect.any(Number),
          exp: claims.iat + 300
        })
      }
    }
  )

  it("[A1] is not made with what is no key for the algorithm, and errors show nothing of it", async () => {
    const pem = p256.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    const noKey = "it is neither PEM nor a JWK of a private key"
    const cases = [
      [`{"kty":"EC","d":"do not show this`, "ES256", noKey],
      [`{"kty":"EC","d":"do not show this"}`, "ES256", noKey],
      ["do not show this", "ES256", noKey],
      [p256.publicKey.export({ type: "spki", format: "pem" }).toString(), "ES256", noKey],
      ...["none", "HS256", "ES2567", "XES256", "ed25519"].map((one) =>
        [pem, one, "the algorithm is not supported"] as const
      )
    ] as const
    for (const [text, algorithm, message] of cases) {
      await expect(add(text, algorithm)).rejects.toThrow(new Error(message))
    }
    for (const algorithm of ["RS256", "ES384", "EdDSA"]) await expect(add(pem, algorithm)).rejects.toThrow()
  })
})
