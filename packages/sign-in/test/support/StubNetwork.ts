import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

/** What answers at an address: JSON with 200, or whatever a function makes. */
export type Answer = Readonly<Record<string, unknown>> | ((asked: Asked) => Response | Promise<Response>)

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } })

export const metadataOf = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
  revocation_endpoint: `${origin}/revoke`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"]
})

export class StubNetwork {
  readonly asked: Array<Asked> = []
  readonly #answers = new Map<string, Answer>()

  at(address: string, answer: Answer): this {
    this.#answers.set(address, answer)
    return this
  }

  to(start: string): ReadonlyArray<Asked> {
    return this.asked.filter(({ url }) => url.startsWith(start))
  }

  forms(address: string): ReadonlyArray<Readonly<Record<string, string>>> {
    return this.to(address).map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
  }

  readonly fetch: FetchLike = async (url, init) => {
    const { href, origin, pathname } = new URL(url)
    const headers = new Headers(init?.headers)
    const asked = { method: init?.method ?? "GET", url: href, headers, body: String(init?.body ?? "") }
    this.asked.push(asked)
    const answer = this.#answers.get(origin + pathname)
    const response = answer === undefined
      ? json(404, {})
      : typeof answer === "function"
      ? await answer(asked)
      : json(200, answer)
    const location = response.headers.get("location")
    // As a fetch does that is not told otherwise.
    if (location !== null && init?.redirect !== "manual") return this.fetch(new URL(location, href), init)
    // As the network's own fetch has it; one that is made by hand knows no address.
    return Object.defineProperty(response, "url", { value: href })
  }

  /** An authorization server that gives whoever asks tokens, the first `FIRST-1`, with changes of its metadata. */
  authServer(origin: string, metadata: Readonly<Record<string, unknown>> = {}, name = "token"): this {
    let count = 0
    return this
      .at(`${origin}/.well-known/oauth-authorization-server`, { ...metadataOf(origin), ...metadata })
      .at(`${origin}/register`, () => json(201, { client_id: `registered at ${origin}` }))
      .at(`${origin}/token`, () =>
        json(200, {
          access_token: `${name}-${++count}`,
          refresh_token: `${name}-refresh-${count}`,
          token_type: "Bearer",
          expires_in: 3600
        }))
  }

  resource(server: string, issuer: string, said: Readonly<Record<string, unknown>> = {}): this {
    const { origin, pathname } = new URL(server)
    return this.at(`${origin}/.well-known/oauth-protected-resource${pathname.replace(/\/$/, "")}`, {
      resource: server,
      authorization_servers: [issuer],
      ...said
    })
  }
}
