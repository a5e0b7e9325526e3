/** An MCP server behind `oidc-provider`, whose refresh tokens are good for one time. Everybody agrees at once. */
import { Effect } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { listening } from "../../../testing/test/support/listening.js"
import { answerTo, bodyOf } from "./AuthServer.js"
import * as oidc from "./oidc.js"

export const make = (seconds: number) =>
  Effect.gen(function*() {
    const server = createServer()
    const origin = yield* listening(server)
    const url = `${origin}/mcp`
    const options = { resource: url, scopes: ["basic"], seconds }
    const provider = oidc.make(origin, options, { accessTokenFormat: "opaque" }, {
      clientAuthMethods: ["none", "client_secret_basic"],
      rotateRefreshToken: true,
      issueRefreshToken: () => true
    })
    const grants: Array<string> = []
    const errors: Array<string> = []
    let [atOnce, most] = [0, 0]
    provider.on("grant.success", (ctx) => void grants.push(String(ctx.oidc.params?.["grant_type"])))
    provider.on("grant.error", (_, error) => void errors.push(error.message))
    const authorize = provider.callback()

    const mcp = async (request: IncomingMessage, response: ServerResponse) => {
      const body = JSON.parse(await bodyOf(request) || "{}") as Parameters<typeof answerTo>[0]
      const given = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1]
      const token = given === undefined ? undefined : await provider.AccessToken.find(given)
      if (token === undefined || token.isExpired || token.aud !== url) {
        return response.writeHead(401, {
          "www-authenticate": `Bearer scope="basic", resource_metadata="${origin}/metadata"`
        }).end()
      }
      if (request.method !== "POST") return response.writeHead(405).end()
      if (body.id === undefined) return response.writeHead(202).end()
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answerTo(body)))
    }

    const handle = async (request: IncomingMessage, response: ServerResponse) => {
      const { pathname } = new URL(request.url ?? "/", origin)
      if (pathname === "/mcp") return mcp(request, response)
      if (pathname === "/metadata") {
        return response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify({ resource: url, authorization_servers: [origin] })
        )
      }
      if (pathname === "/token") {
        most = Math.max(most, ++atOnce)
        response.once("close", () => atOnce--)
      }
      return authorize(request, response)
    }
    server.on("request", (request, response) => void handle(request, response).catch(() => response.destroy()))
    return {
      url,
      grants,
      errors,
      mostAtOnce: () => most
    }
  })
