import type { McpConfig } from "@mcp-lifeline/config"
import { Effect } from "effect"
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** `lifeline.auth` in force. */
export const authOf = (given: Partial<McpConfig.Auth>): McpConfig.Auth => ({
  ...{ issuers: [], audiences: [], requiredScopes: [], claims: {}, algorithms: ["ES256"], jwksUri: undefined },
  clockTolerance: 30_000,
  ...given
})

export interface Key {
  readonly kid: string
  readonly alg: string
  readonly secret: Parameters<SignJWT["sign"]>[0]
  readonly jwk: JWK
}

export const newKey = async (alg = "ES256"): Promise<Key> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const plain = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(plain)
  return { kid, alg, secret: privateKey, jwk: { ...plain, kid, alg, use: "sig" } }
}

export interface Signed {
  readonly key?: Key
  /** `null`: none. */
  readonly typ?: string | null
  readonly kid?: string
}

export const make = Effect.acquireRelease(
  Effect.promise(async () => {
    let key = await newKey()
    let keys: ReadonlyArray<JWK> = [key.jwk]
    let answer: ((response: ServerResponse) => void) | undefined
    const asked: Array<string> = []
    const handle = ({ url = "" }: IncomingMessage, response: ServerResponse): void => {
      asked.push(url)
      if (answer !== undefined) return answer(response)
      const body = url === "/.well-known/oauth-authorization-server"
        ? { issuer: origin, jwks_uri: `${origin}/jwks`, token_endpoint: `${origin}/token` }
        : url === "/jwks"
        ? { keys }
        : undefined
      response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" }).end(
        JSON.stringify(body)
      )
    }
    let server = createServer(handle).listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const origin = `http://127.0.0.1:${port}`
    const stop = async (): Promise<void> => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    }
    return {
      url: origin,
      asked,
      key: () => key,
      rotate: async (): Promise<void> => {
        key = await newKey()
        keys = [key.jwk]
      },
      offer: (offered: ReadonlyArray<JWK>): void => {
        keys = offered
      },
      /** Answers everything so from now on; `undefined`: as it should. */
      say: (next: typeof answer): void => {
        answer = next
      },
      stop,
      start: async (): Promise<void> => {
        server = createServer(handle).listen(port, "127.0.0.1")
        await once(server, "listening")
      },
      /** Signs a token that is good for five minutes. An `undefined` claim is left out. */
      sign: (
        audience: string,
        claims: Readonly<Record<string, unknown>> = {},
        { kid, typ = "at+jwt", ...signed }: Signed = {}
      ) => {
        const by = signed.key ?? key
        const now = Math.floor(Date.now() / 1000)
        const all = { iss: origin, sub: "ann", aud: audience, iat: now, exp: now + 300, ...claims }
        return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
          .setProtectedHeader({ alg: by.alg, kid: kid ?? by.kid, ...(typ === null ? {} : { typ }) })
          .sign(by.secret)
      }
    }
  }),
  ({ stop }) => Effect.promise(stop)
)

export type Issuer = Effect.Effect.Success<typeof make>
