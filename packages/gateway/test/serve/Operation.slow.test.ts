import type { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { EmptyResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import { ask, isConnected, serve, untilStatus } from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { rejection } from "../support/Served.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const { resolve } = createRequire(import.meta.url)
const node = process.execPath
const memory = { command: node, args: [resolve("@modelcontextprotocol/server-memory/dist/index.js")] }

const isThere = (command: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${command}`])
    return true
  } catch {
    return false
  }
}

/** Node.js has no datagram sockets of Unix. */
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)`

const collecting = Effect.gen(function*() {
  const requests: Array<{ readonly path: string; readonly key: unknown; readonly body: string }> = []
  const url = yield* listening(createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ path: request.url ?? "", key: request.headers["x-key"], body })
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  }))
  return { url, requests }
})

describe.concurrent("a gateway that is operated", () => {
  test.scopedLive("[O3] with --log-format json each line is an object with its time, level, server and message", function*() {
    const servers = { memory, missing: { command: "/no/such/program" }, bad: { command: 5 } }
    const { base, program } = yield* serve(servers, ["--log-format", "json"])
    yield* untilStatus(base, isConnected, "memory")
    yield* untilStatus(base, ({ state }) => state === "PermanentlyFailed", "missing")
    program.signal("SIGTERM")
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
    const linesOf = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line))
    const [out, err] = [linesOf(program.stdout()), linesOf(program.stderr())]
    for (const line of [...out, ...err]) {
      expect(line).toEqual({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        level: expect.stringMatching(/^(info|warning|error)$/),
        message: expect.stringMatching(/./),
        ...("server" in line ? { server: expect.stringMatching(/^(memory|missing)$/) } : {})
      })
    }
    const line = (text: string, more: object) =>
      expect.objectContaining({ ...more, message: expect.stringContaining(text) })
    expect(out).toContainEqual(expect.objectContaining({ message: `Serving ${base}/mcp`, level: "info" }))
    expect(out).toContainEqual(line("Connected  generation 1", { server: "memory" }))
    expect(out).toContainEqual(line("Attempt failed", { server: "missing", level: "error" }))
    expect(err).toContainEqual(line("mcpServers.bad.command", { level: "warning" }))
  })

  test.scopedLive.each<["text" | "json"]>([["text"], ["json"]])(
    "[O3] a warning about one server has its name, in %s",
    function*([format]) {
      const entry = `console.log("hello"); await import(${JSON.stringify(memory.args[0])})`
      const noisy = { command: process.execPath, args: ["--input-type=module", "-e", entry] }
      const { program } = yield* serve({ noisy }, ["--log-format", format])
      yield* program.until(() => /is not JSON-RPC/.test(program.stderr()) || undefined)
      const line = program.stderr().split("\n").find((line) => line.includes("is not JSON-RPC")) ?? ""
      if (format === "json") {
        const noise = { server: "noisy", message: expect.stringMatching(/^a line on stdout/) }
        expect(JSON.parse(line)).toMatchObject(noise)
      } else expect(line).toMatch(/^\d\d:\d\d:\d\d warn(?:ing)?: noisy: a line on stdout is not JSON-RPC/)
    }
  )

  test.scopedLive.skipIf(!isThere("systemd-notify") || !isThere("python3"))(
    "[G7] systemd is told that it is ready, that it lives and that it stops",
    function*() {
      const socket = join(yield* folder, "notify")
      const systemd = yield* Program.start(["-c", receiver, socket], {}, ["python3"])
      yield* systemd.prints(/bound/)
      const { base, program } = yield* serve({ memory }, [], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "300000" })
      yield* systemd.prints(/READY=1/)
      expect(systemd.stdout()).toContain(`STATUS=Serving ${base}/mcp`)
      yield* systemd.prints(/(WATCHDOG=1[^]*){3}/)
      expect(systemd.stdout()).not.toContain("STOPPING=1")
      program.signal("SIGTERM")
      expect(yield* program.ended).toEqual({ code: 0, signal: null })
      yield* systemd.prints(/STOPPING=1/)
      expect(program.stderr()).toBe("")
    }
  )

  test.scopedLive("[O1] spans and metrics go where OpenTelemetry's variables say, in the trace of the client, the rest when it ends", function*() {
    const collector = yield* collecting
    const secret = `secret-${randomBytes(9).toString("hex")}`
    const { base, program } = yield* serve({ memory, missing: { command: "/no/such/program" } }, [], {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${secret}`,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test",
      OTEL_METRIC_EXPORT_INTERVAL: "600000",
      OTEL_BSP_SCHEDULE_DELAY: "600000"
    })
    yield* untilStatus(base, isConnected, "memory")
    const trace = randomBytes(16).toString("hex")
    const client = yield* TestClient.connect(`${base}/mcp`)
    yield* Effect.promise(() =>
      client.callTool({ name: "memory__read_graph", _meta: { traceparent: `00-${trace}-${"1".repeat(16)}-01` } })
    )
    const metrics = yield* ask(`${base}/metrics`)
    expect(metrics.body).toMatch(
      /^mcp_server_operation_duration_seconds_count\{gen_ai_operation_name="execute_tool",gen_ai_tool_name="memory__read_graph",mcp_method_name="tools\/call"\} 1$/m
    )
    yield* rejection(client.callTool({ name: "made-up" }))
    yield* rejection(client.request({ method: "made/up" as never }, EmptyResultSchema))
    const after = yield* ask(`${base}/metrics`)
    expect(after.body).not.toMatch(/made.up/)
    expect(after.body).toMatch(
      /^mcp_server_operation_duration_seconds_count\{error_type="-32601",mcp_method_name="_OTHER"\} 1$/m
    )
    const lasted =
      /^mcp_server_session_duration_seconds_count\{mcp_protocol_version="2025-11-25",network_transport="tcp"\} 1$/m
    expect(after.body).not.toMatch(lasted)
    yield* Effect.promise(() => (client.transport as StreamableHTTPClientTransport).terminateSession())
    expect((yield* ask(`${base}/metrics`)).body).toMatch(lasted)
    program.signal("SIGTERM")
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
    const sent = (path: string) => collector.requests.filter((one) => one.path === path).map(({ body }) => body).join()
    const traces = collector.requests.filter(({ path }) => path === "/v1/traces").map(({ body }) => JSON.parse(body))
    const spans = traces.flatMap((one) => one.resourceSpans[0].scopeSpans[0].spans)
      .filter(({ traceId }) => traceId === trace)
    const ours = spans.find(({ name }) => name === "tools/call read_graph")
    const above = spans.find(({ parentSpanId }) => parentSpanId === "1".repeat(16))
    expect(above).toMatchObject({ name: "tools/call", kind: 2 })
    expect(ours).toMatchObject({ kind: 3, parentSpanId: above.spanId })
    expect(sent("/v1/metrics")).toContain("mcp.client.operation.duration")
    for (const signal of ["traces", "metrics"]) {
      expect(sent(`/v1/${signal}`)).toMatch(/"service.name"[^}]*"mcp-lifeline"/)
      expect(sent(`/v1/${signal}`)).toContain("deployment.environment")
    }
    expect(collector.requests.every(({ key }) => key === secret)).toBe(true)
    const all = program.stdout() + program.stderr() + collector.requests.map(({ body }) => body).join()
    expect(all).not.toContain(secret)
  })

  test.scopedLive("[O1] a collector that is not there, or an endpoint that is none, stops nothing", function*() {
    const endpoints = [["http://127.0.0.1:1", ""], ["collector:4317", "no telemetry is sent: "]] as const
    for (const [endpoint, warning] of endpoints) {
      const { base, program } = yield* serve({ memory }, [], { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
      yield* untilStatus(base, isConnected, "memory")
      program.signal("SIGTERM")
      expect(yield* program.ended).toEqual({ code: 0, signal: null })
      if (warning === "") expect(program.stderr()).toBe("")
      else expect(program.stderr()).toContain(warning)
    }
  })
})
