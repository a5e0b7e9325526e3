import { Backend } from "@mcp-lifeline/core"
import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"

const { text } = HttpExchange

export const server = HttpFaultServer.make({
  tools: {
    add: { run: () => text("done") },
    broken: { run: () => ({ content: [{ type: "text", text: "no" }], isError: true }) }
  }
})

export const backend = (
  { url }: HttpFaultServer.HttpFaultServer,
  id = "docs",
  options: Omit<Backend.BackendOptions, "connector"> = {}
) =>
  Backend.make(id, {
    ...options,
    connector: HttpConnector.make({ url, transport: "streamable" }),
    reconnect: { initialDelay: 20, demandInterval: 20, stableAfter: 0 }
  }).pipe(Effect.tap((backend) => backend.firstOutcome))

/** One call that finds its session lost, and is answered in the next. The stream from the server is open: opening it finds nothing. */
export const callThroughLoss = (server: HttpFaultServer.HttpFaultServer, backend: Backend.Backend) =>
  Effect.sleep("5 millis").pipe(
    Effect.repeat({ until: () => server.streams.size > 0 }),
    Effect.zipRight(Effect.suspend(() => {
      server.sessions.clear()
      return backend.callTool({ name: "add", arguments: {} })
    }))
  )

export const calls = (server: HttpFaultServer.HttpFaultServer, tool = "add") =>
  server.seen.filter((one) => one.tool === tool).map(({ message, session }) => {
    const { _meta } = (message?.["params"] ?? {}) as { readonly _meta?: Record<string, unknown> }
    return { session, traceparent: _meta?.["traceparent"], tracestate: _meta?.["tracestate"] }
  })
