import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Routing } from "@mcp-lifeline/core/internal"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
import * as RateLimited from "../access/RateLimited.js"
import { unplaced } from "../audit/audited.js"
import * as Ended from "../audit/Ended.js"
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

type Called = Effect.Effect<CallToolResult, Api.NotFound | Api.RateLimited | Api.ServerFailed>

/** Calls through the API count as those of clients do (`callsPerMinute`). */
const limited = (gateway: Gateway, params: Api.Call, caller: Caller, access: Access, watch?: Tools.Watch): Called =>
  Effect.gen(function*() {
    const { callsPerMinute } = access
    if (callsPerMinute !== undefined) {
      const retryAfter = gateway.rates.take(caller.subject, callsPerMinute)
      if (retryAfter > 0) return yield* refuse(callsPerMinute, retryAfter)
    }
    return yield* Tools.call(gateway, params, access, watch)
  })

export const call = (gateway: Gateway, params: Api.Call, caller: Caller, access: Access): Called =>
  Effect.suspend(() => {
    const { audit, servers: { shared: { fleet } } } = gateway
    if (audit === undefined) return limited(gateway, params, caller, access)
    const why = audit.refusal()
    if (why !== undefined) {
      return Effect.fail(notRecorded("unavailable", `the call was not sent: ${access.isAdmin ? why : unplaced}`))
    }
    const call = audit.begin({ door: "api", caller, method: "tools/call", params })
    let isRouted = false
    /** For a call that was not routed: records the server that it names. Returns whether the caller may not use it. */
    const isHidden = (): boolean => {
      if (isRouted) return false
      const to = Routing.viewOf(fleet, access).find("tools", params.name) ?? Routing.find(fleet, "tools", params.name)
      if (to !== undefined) call.found(to.backend.id, to.original)
      return to !== undefined && !access.hasTool(to.backend.id, to.original)
    }
    const recorded = (ended: Ended.Ended) =>
      Effect.async<void, Api.ServerFailed>((resume) => {
        call.ended(ended, (mayAnswer) =>
          resume(
            mayAnswer
              ? Effect.void
              : Effect.fail(notRecorded(
                "server_error",
                "the call was carried out, but could not be recorded, so its "
                  + "result is withheld: do not repeat it before that is repaired"
              ))
          ))
      })
    const watch = {
      sent: call.sent,
      routed: (server: string, name: string) => {
        isRouted = true
        call.sentAs(server, { ...params, name })
      }
    }
    return limited(gateway, params, caller, access, watch).pipe(
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          isHidden()
          call.ended(Ended.byCancel(call.isSent()), () => undefined)
        })
      ),
      Effect.matchEffect({
        onFailure: (error) => Effect.zipRight(recorded(failedBy(error, isHidden(), call.isSent())), Effect.fail(error)),
        onSuccess: (result) => {
          const known = { isHidden: isHidden(), isSent: call.isSent(), asksForTask: false }
          return Effect.as(recorded(Ended.byAnswer({ result }, known)), result)
        }
      })
    )
  })

const notRecorded = (code: "unavailable" | "server_error", message: string): Api.ServerFailed => ({
  error: { code, message }
})

const failedBy = (
  { error: { code } }: Api.NotFound | Api.RateLimited | Api.ServerFailed,
  isHidden: boolean,
  isSent: boolean
): Ended.Ended => {
  if (code === "rate_limited") return { outcome: "refused", reason: "RateLimited", fate: "notSent" }
  if (isHidden && !isSent) return { outcome: "refused", reason: "NotAllowed", fate: "notSent" }
  const fate = !isSent || code === "unavailable" || code === "not_found"
    ? "notSent"
    : code === "timeout" || code === "result_unknown"
    ? "unknown"
    : "answered"
  return { outcome: "error", reason: code, fate }
}
