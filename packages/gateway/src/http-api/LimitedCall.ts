/**
 * Calls through the API count as those of clients do (`callsPerMinute`).
 */
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
import * as RateLimited from "../access/RateLimited.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import * as Tools from "./Tools.js"

const refuse = (perMinute: number, retryAfter: number): Effect.Effect<never, Api.RateLimited> =>
  Effect.zipRight(
    HttpApp.appendPreResponseHandler((_, response) =>
      Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(Math.ceil(retryAfter / 1000))))
    ),
    Effect.fail(Api.rateLimited(RateLimited.messageOf(perMinute, retryAfter)))
  )

export const call = (
  gateway: Gateway,
  params: Api.Call,
  caller: Caller,
  access: Access,
  watch?: Tools.Watch
): Effect.Effect<CallToolResult, Api.NotFound | Api.RateLimited | Api.ServerFailed> =>
  Effect.gen(function*() {
    const { callsPerMinute } = access
    if (callsPerMinute !== undefined) {
      const retryAfter = gateway.rates.take(caller.subject, callsPerMinute)
      if (retryAfter > 0) return yield* refuse(callsPerMinute, retryAfter)
    }
    return yield* Tools.call(gateway, params, access, watch)
  })
