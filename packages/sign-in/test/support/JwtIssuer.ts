/** `oidc-provider`, which issues JSON Web Tokens for one resource. Its user, `ann` or whom the test names, agrees at once. */
import { Effect } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { createServer } from "node:http"
import { listening } from "../../../testing/test/support/listening.js"
import { Browser } from "./Browser.js"
import * as oidc from "./oidc.js"

export interface Options extends oidc.Options {
  readonly refreshes?: boolean
  /** Clients that it knows without a registration, by their ids; whatever address they return to. */
  readonly clients?: ReadonlyArray<string>
}

/** Where a test's clients have their users sent back. Nobody listens there. */
export const redirectUrl = "http://127.0.0.1:9/callback"

const newKey = (kid: string) => ({
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }),
  kid,
  alg: "ES256",
  use: "sig"
})

export const make = ({ clients = [], refreshes = true, ...options }: Options) =>
  Effect.gen(function*() {
    const server = createServer()
    const url = yield* listening(server)
    const keys = [newKey("first")]
    let user = "ann"
    const client = {
      grant_types: refreshes ? ["authorization_code", "refresh_token"] : ["authorization_code"],
      token_endpoint_auth_method: "none"
    } as const
    const jwt = { accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } } as const
    const make = () =>
      oidc.make(url, options, jwt, {
        jwks: { keys },
        clientAuthMethods: ["none"],
        clientDefaults: { ...client, id_token_signed_response_alg: "ES256" },
        clients: clients.map((id) => ({
          ...client,
          client_id: id,
          redirect_uris: [redirectUrl],
          response_types: ["code"]
        })),
        issueRefreshToken: () => Promise.resolve(refreshes)
      }, () => user).callback()
    let answer = make()
    const asked: Array<string> = []
    server.on("request", (request, response) => {
      asked.push(`${request.method} ${request.url?.replace(/\?.*/s, "")}`)
      void answer(request, response)
    })
    return {
      url,
      asked,
      /** Signs with a new key from now on; the old one is not offered any more. Sessions and refresh tokens end. */
      rotate: (): void => {
        keys.splice(0, 1, newKey(`key ${asked.length}`))
        answer = make()
      },
      user: (name: string): void => {
        user = name
      },
      login: async (address: URL): Promise<URLSearchParams> => {
        const browser = new Browser(user)
        let next = address
        while (!next.href.startsWith(redirectUrl)) next = new URL(await browser.authorize(next.href), next)
        return next.searchParams
      }
    }
  })
