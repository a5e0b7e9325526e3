import { assert } from "@effect/vitest"
import type { HttpFaultServer } from "@mcp-lifeline/testing"
import * as Lossy from "./Lossy.js"
import type { View } from "./View.js"

export const named = (spans: ReadonlyArray<View>, name: string): ReadonlyArray<View> =>
  spans.filter((span) => span.name === name)

export const only = (spans: ReadonlyArray<View>, name: string): View => {
  const [span, ...more] = named(spans, name)
  if (span === undefined || more.length > 0) {
    throw new Error(`${named(spans, name).length} spans ${name} in: ${spans.map((one) => one.name).join(", ")}`)
  }
  return span
}

/** One trace: the call, a child for each attempt; the reconnect linked to it; each request carried its attempt. */
export const oneTrace = (spans: ReadonlyArray<View>, server: HttpFaultServer.HttpFaultServer): View => {
  const sent = Lossy.calls(server)
  const sessions = sent.map(({ session }) => session?.slice(0, 8))
  const call = only(spans, "tools/call add")
  assert.isTrue(call.client)
  assert.isFalse(call.failed)
  assert.deepInclude(call.attributes, {
    "mcp.method.name": "tools/call",
    "mcp.session.id": sessions[1],
    "gen_ai.tool.name": "add",
    "gen_ai.operation.name": "execute_tool",
    "network.transport": "tcp",
    "lifeline.backend": "docs",
    "lifeline.generation": 2
  })
  assert.match(String(call.attributes["mcp.protocol.version"]), /^\d{4}-\d\d-\d\d$/)
  assert.notProperty(call.attributes, "error.type")

  const attempts = named(spans, "lifeline.attempt")
  assert.deepStrictEqual(
    attempts.map(({ attributes, failed, parent, traceId }) => ({
      inTrace: traceId === call.traceId && parent === call.spanId,
      attempt: attributes["lifeline.attempt"],
      generation: attributes["lifeline.generation"],
      outcome: attributes["lifeline.outcome"],
      error: attributes["error.type"],
      session: attributes["mcp.session.id"],
      failed
    })),
    [
      {
        inTrace: true,
        attempt: 1,
        generation: 1,
        outcome: "rejected",
        error: "session",
        session: sessions[0],
        failed: true
      },
      {
        inTrace: true,
        attempt: 2,
        generation: 2,
        outcome: "answered",
        error: undefined,
        session: sessions[1],
        failed: false
      }
    ]
  )
  assert.notStrictEqual(sessions[0], sessions[1])
  assert.deepStrictEqual(
    sent.map(({ traceparent }) => traceparent),
    attempts.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-01`)
  )

  const reconnect = only(spans, "lifeline.reconnect")
  assert.deepInclude(reconnect.attributes, {
    "lifeline.cause": "session",
    "lifeline.generation": 2,
    "lifeline.outcome": "installed"
  })
  assert.isUndefined(reconnect.parent)
  assert.deepStrictEqual(call.links, [reconnect.spanId])
  assert.deepStrictEqual(reconnect.links, [call.spanId])
  return call
}
