import { Effect } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { setTimeout } from "node:timers/promises"
import { listening } from "../../../testing/test/support/listening.js"
import { metadataOf } from "./StubNetwork.js"

/** What can be ordered; changes count at once. */
export interface Knobs {
  refresh?: boolean
  tokenStatus?: number | undefined
  /** Milliseconds until the token endpoint answers. */
  tokenDelay?: number
  metadataReady?: Promise<void>
  /** The scope that calls of tools need beside the one that the login needs. */
  callScope?: string | undefined
  /** The `iss` that the browser brings back, in which ORIGIN is that of the server. */
  iss?: string
  metadata?: Record<string, unknown>
  consent?: boolean
  withheld?: string
  /** Answers every token request with a page and 200, as a network does whose own login page comes first. */
  portal?: boolean
  /** How many of the clients that were registered first are not known any more. */
  forgottenClients?: number
  mcpStatus?: number | undefined
  revokeStatus?: number
  revokeReady?: Promise<void>
}

export interface FormRequest {
  readonly form: Readonly<Record<string, string>>
  readonly authorization: string | undefined
}

export interface TokenRequest extends FormRequest {
  readonly status: number
}

interface Login {
  readonly scope: string
  readonly client: string
  readonly challenge: string
  readonly redirect: string
  readonly resource: string | undefined
  /** Whose login it is, where the browser says so (`x-account`). */
  readonly account: string | undefined
  refresh: string
  access: Set<string>
  isEnded: boolean
}

export const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request) text += String(chunk)
  return text
}

const token = () => randomBytes(16).toString("hex")

const formOf = async (request: IncomingMessage): Promise<FormRequest> => ({
  form: Object.fromEntries(new URLSearchParams(await bodyOf(request))),
  authorization: request.headers.authorization
})

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly protocolVersion?: string; readonly clientInfo?: unknown }
}

export const answerTo = ({ id, method = "", params }: Message): unknown => {
  const results: Record<string, unknown> = {
    initialize: {
      protocolVersion: params?.protocolVersion ?? "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "auth-server", version: "1.0.0" }
    },
    "tools/list": { tools: [{ name: "ask", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: "answered" }] },
    ping: {}
  }
  const result = results[method]
  const error = { code: -32601, message: "not found" }
  return { jsonrpc: "2.0", id, ...(result === undefined ? { error } : { result }) }
}

export const make = Effect.gen(function*() {
  const knobs: Knobs = {}
  const tokenRequests: Array<TokenRequest> = []
  let tokensAsked = 0
  const registrations: Array<Record<string, unknown>> = []
  const authorizations: Array<URLSearchParams> = []
  const revocations: Array<FormRequest> = []
  const headers: Array<IncomingHttpHeaders> = []
  const clients: Array<unknown> = []
  const presented: Array<string | undefined> = []
  const methods: Array<string> = []
  const codes = new Map<string, Login>()
  const logins: Array<Login> = []
  let origin = ""

  const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify(value))
  }

  const give = (login: Login) => {
    const access = token()
    login.access.add(access)
    // Each is good for one time, and one that is used again ends the whole login.
    login.refresh = token()
    return {
      access_token: access,
      token_type: "Bearer",
      scope: login.scope,
      expires_in: 3600,
      ...(knobs.refresh !== false ? { refresh_token: login.refresh } : {})
    }
  }

  const newLogin = (parameters: URLSearchParams, account?: string): Login => {
    const login: Login = {
      scope: (parameters.get("scope") ?? "").split(" ").filter((one) => one !== knobs.withheld).join(" "),
      client: parameters.get("client_id") ?? "",
      challenge: parameters.get("code_challenge") ?? "",
      redirect: parameters.get("redirect_uri") ?? "",
      resource: parameters.get("resource") ?? undefined,
      account,
      refresh: "",
      access: new Set(),
      isEnded: false
    }
    logins.push(login)
    return login
  }

  const answerToken = (form: Record<string, string>): readonly [number, unknown] => {
    const [, client] = /^client-(\d+)$/.exec(form["client_id"] ?? "") ?? []
    if (Number(client) <= (knobs.forgottenClients ?? 0)) return [401, { error: "invalid_client" }]
    switch (form["grant_type"]) {
      case "authorization_code": {
        const login = codes.get(form["code"] ?? "")
        codes.delete(form["code"] ?? "")
        const challenge = createHash("sha256").update(form["code_verifier"] ?? "").digest("base64url")
        const isRight = login !== undefined && login.challenge === challenge &&
          login.redirect === form["redirect_uri"] &&
          login.resource === form["resource"]
        return isRight ? [200, give(login)] : [400, { error: "invalid_grant" }]
      }
      case "refresh_token": {
        const login = logins.find(({ refresh }) => refresh === form["refresh_token"])
        if (login === undefined || login.isEnded) {
          // Somebody uses an old one: the login may be in wrong hands.
          for (const one of logins) {
            if (login !== undefined && one.account !== login.account) continue
            one.isEnded = true
            one.access.clear()
          }
          return [400, { error: "invalid_grant", error_description: "used before" }]
        }
        return [200, give(login)]
      }
      case "client_credentials":
        return [200, give(newLogin(new URLSearchParams(form)))]
      default:
        return [400, { error: "unsupported_grant_type" }]
    }
  }

  const answerMcp = async (request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.parse(await bodyOf(request) || "{}") as Message
    const access = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1]
    presented.push(access)
    headers.push(request.headers)
    const login = logins.find((one) => access !== undefined && one.access.has(access))
    const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
    if (login === undefined) {
      return json(response, 401, { error: "unauthorized" }, {
        "www-authenticate": `Bearer scope="basic", ${metadata}`
      })
    }
    if (request.method !== "POST") return json(response, 405, {})
    const { callScope, mcpStatus } = knobs
    if (mcpStatus !== undefined) return json(response, mcpStatus, {})
    if (body.method === "tools/call" && callScope !== undefined && !login.scope.split(" ").includes(callScope)) {
      return json(response, 403, {}, {
        "www-authenticate": `Bearer error="insufficient_scope", scope="${callScope}", ${metadata}`
      })
    }
    if (body.id === undefined) return response.writeHead(202).end()
    methods.push(body.method ?? "")
    if (body.method === "initialize") clients.push(body.params?.clientInfo)
    const { account } = login
    json(
      response,
      200,
      body.method === "tools/call" && account !== undefined
        ? { jsonrpc: "2.0", id: body.id, result: { content: [{ type: "text", text: account }] } }
        : answerTo(body)
    )
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", origin)
    switch (url.pathname) {
      case "/mcp":
        return answerMcp(request, response)
      case "/.well-known/oauth-protected-resource/mcp":
        await knobs.metadataReady
        return json(response, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] })
      case "/.well-known/oauth-authorization-server":
        await knobs.metadataReady
        return json(response, 200, {
          ...metadataOf(origin),
          token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
          ...knobs.metadata
        })
      case "/register": {
        const client = JSON.parse(await bodyOf(request)) as Record<string, unknown>
        registrations.push(client)
        return json(response, 201, { ...client, client_id: `client-${registrations.length}` })
      }
      case "/authorize": {
        const parameters = url.searchParams
        authorizations.push(parameters)
        const back = new URL(parameters.get("redirect_uri") ?? "")
        back.searchParams.set("state", parameters.get("state") ?? "")
        if (knobs.iss !== undefined) back.searchParams.set("iss", knobs.iss.replace("ORIGIN", origin))
        if (knobs.consent !== false) {
          const code = token()
          codes.set(code, newLogin(parameters, request.headers["x-account"] as string | undefined))
          back.searchParams.set("code", code)
        } else {
          back.searchParams.set("error", "access_denied")
          back.searchParams.set("error_description", "the person said no")
        }
        return response.writeHead(302, { location: back.href }).end()
      }
      case "/revoke":
        revocations.push(await formOf(request))
        await knobs.revokeReady
        return response.writeHead(knobs.revokeStatus ?? 200).end()
      case "/token": {
        const { authorization, form } = await formOf(request)
        tokensAsked++
        // What was ordered when it came, however late it is answered.
        const { portal, tokenDelay, tokenStatus } = knobs
        await setTimeout(tokenDelay)
        if (portal) {
          return response.writeHead(200, { "content-type": "text/html" }).end("<h1>Welcome to our hotel</h1>")
        }
        const [status, answer] = tokenStatus === undefined
          ? answerToken(form)
          : [tokenStatus, { error: "server_error" }]
        tokenRequests.push({ form, authorization, status })
        return json(response, status, answer)
      }
      default:
        return json(response, 404, {})
    }
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  origin = yield* listening(server)
  return {
    knobs,
    origin,
    url: `${origin}/mcp`,
    tokenRequests,
    /** How many token requests came; `tokenRequests` are those that were answered. */
    tokensAsked: () => tokensAsked,
    registrations,
    authorizations,
    revocations,
    presented,
    methods,
    headers,
    clients,
    /** Ends all access tokens at once; refresh tokens stay good. */
    expire: () => {
      for (const login of logins) login.access.clear()
    },
    end: (account?: string) => {
      for (const login of logins) {
        if (account !== undefined && login.account !== account) continue
        login.access.clear()
        login.isEnded = true
      }
    },
    grants: (type: string) => tokenRequests.filter(({ form }) => form["grant_type"] === type)
  }
})

export type AuthServer = Effect.Effect.Success<typeof make>
