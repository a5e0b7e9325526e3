/**
 * A signature in place of a secret (`private_key_jwt`, RFC 7523).
 */
import { createPrivateKey, type JsonWebKey, type KeyObject } from "node:crypto"
import { modifyAssertion, PrivateKeyJwt } from "oauth4webapi"

/** In seconds. Clocks of servers differ. */
const lifetime = 300

const parametersOf = (algorithm: string) => {
  const [, kind, bits = ""] = /^(RS|PS|ES)(256|384|512)$/.exec(algorithm) ?? []
  if (kind === "RS") return { name: "RSASSA-PKCS1-v1_5", hash: `SHA-${bits}` }
  if (kind === "PS") return { name: "RSA-PSS", hash: `SHA-${bits}` }
  if (kind === "ES") return { name: "ECDSA", namedCurve: `P-${bits === "512" ? "521" : bits}` }
  if (algorithm === "EdDSA" || algorithm === "Ed25519") return { name: "Ed25519" }
  throw new Error("the algorithm is not supported")
}

/** Errors show nothing of the text. */
const read = (text: string): { readonly key: KeyObject; readonly kid: string | undefined } => {
  try {
    if (!text.trimStart().startsWith("{")) return { key: createPrivateKey(text), kid: undefined }
    const jwk = JSON.parse(text) as JsonWebKey
    const { kid } = jwk
    return { key: createPrivateKey({ key: jwk, format: "jwk" }), kid: typeof kid === "string" ? kid : undefined }
  } catch {
    throw new Error("it is neither PEM nor a JWK of a private key")
  }
}

/** Rejects where the key is not one for the algorithm. */
export const add = async (
  form: URLSearchParams,
  { algorithm, client, issuer, key: text }: {
    readonly algorithm: string
    readonly client: string
    readonly issuer: string
    readonly key: string
  }
): Promise<void> => {
  const parameters = parametersOf(algorithm)
  const { key, kid } = read(text)
  const pkcs8 = key.export({ type: "pkcs8", format: "der" })
  const imported = await crypto.subtle.importKey("pkcs8", pkcs8, parameters, false, ["sign"])
  const sign = PrivateKeyJwt(kid === undefined ? imported : { key: imported, kid }, {
    [modifyAssertion]: (header, claims) => {
      // One name for Ed25519 is not known everywhere.
      header["alg"] = algorithm
      // A server whose clock is behind would refuse it.
      delete claims["nbf"]
      claims["exp"] = Number(claims["iat"]) + lifetime
    }
  })
  await sign({ issuer }, { client_id: client }, form, new Headers())
}
