/** What comes from outside, in forms that nobody expects. */
import * as fc from "fast-check"
import { connect } from "node:net"

const seedText = process.env["LIFELINE_FUZZ_SEED"]

/** How a property is run: from a seed that a failure prints, and that LIFELINE_FUZZ_SEED replays. */
export const runs = (numRuns: number) => ({
  numRuns,
  // Shrinking what is large takes longer than to look at it.
  endOnFailure: true,
  ...(seedText === undefined ? {} : { seed: Number(seedText) })
})

/** Arrays in arrays, as text. */
export const deepText = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

const oddTexts = [
  "",
  "\u0000",
  "\uD800",
  "__proto__",
  "constructor",
  "toString",
  "//[",
  "http://[",
  "lifeline://status",
  "%",
  "%00",
  "{{{{",
  "\u001B]0;x\u0007",
  "9007199254740993",
  "x".repeat(20_000)
]

export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom(...oddTexts)
)

/** Any value of JSON, as text, some of them deeper than a recursive function can go. */
export const jsonText: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: fc.json() },
  {
    weight: 4,
    arbitrary: fc.constantFrom("1e999", "-0", "9007199254740993", "null", '"\\ud800"', '{"__proto__":{"a":1}}')
  },
  { weight: 2, arbitrary: fc.constantFrom(deepText(20_000), `{"a":${deepText(20_000)}}`) },
  { weight: 2, arbitrary: text }
)

/** Any value of JSON. */
export const json: fc.Arbitrary<unknown> = jsonText.map((one) => {
  try {
    return JSON.parse(one) as unknown
  } catch {
    return one
  }
})

const methods = [
  "initialize",
  "ping",
  "tools/list",
  "tools/call",
  "prompts/get",
  "resources/read",
  "resources/subscribe",
  "completion/complete",
  "logging/setLevel",
  "subscriptions/listen",
  "server/discover",
  "sampling/createMessage",
  "roots/list",
  "elicitation/create",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/message",
  "notifications/tools/list_changed",
  "notifications/resources/updated"
]

const id = fc.oneof(fc.nat(5), fc.string(), fc.constantFrom(2 ** 53 + 2, -1, 1.5, null), json)

const params = fc.oneof(
  json,
  fc.record(
    {
      name: fc.oneof(text, fc.constantFrom("raw__x", "lifeline__status"), json),
      uri: fc.oneof(text, json),
      arguments: json,
      cursor: json,
      level: json,
      requestId: id,
      progressToken: id,
      progress: json,
      protocolVersion: fc.oneof(fc.constantFrom("2025-11-25", "2026-07-28"), json),
      capabilities: json,
      clientInfo: json,
      notifications: json,
      ref: json,
      argument: json,
      _meta: fc.oneof(
        json,
        fc.record({
          progressToken: id,
          "io.modelcontextprotocol/protocolVersion": fc.oneof(fc.constant("2026-07-28"), json),
          "io.modelcontextprotocol/clientInfo": json,
          "io.modelcontextprotocol/clientCapabilities": json
        }, { requiredKeys: [] })
      )
    },
    { requiredKeys: [] }
  )
)

/** A message of JSON-RPC, more or less. */
export const message: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 1, arbitrary: json },
  {
    weight: 8,
    arbitrary: fc.record(
      {
        jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant("2.0") }, { weight: 1, arbitrary: json }),
        id,
        method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...methods) }, { weight: 1, arbitrary: json }),
        params
      },
      { requiredKeys: ["jsonrpc"] }
    )
  },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        jsonrpc: fc.constant("2.0"),
        id,
        result: json,
        error: fc.oneof(json, fc.record({ code: json, message: fc.oneof(text, json), data: json }))
      },
      { requiredKeys: ["jsonrpc"] }
    )
  }
)

/** The same as text; what is too deep to be written is written by hand. */
export const written = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? "null"
  } catch {
    return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":${deepText(20_000)}}}`
  }
}

export const line: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: message.map(written) },
  { weight: 1, arbitrary: jsonText },
  { weight: 1, arbitrary: text }
)

const headerText = fc.string({ unit: fc.constantFrom(...'abc019=?/;,.:"[]%~-_ \t\u00e9\u009b') })

/** A request as it is on the wire, to `host`. */
export const httpRequest = (host: string): fc.Arbitrary<string> =>
  fc.record({
    method: fc.constantFrom("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH", "CONNECT", "TRACE", "get", "X"),
    target: fc.oneof(
      fc.constantFrom(
        "/mcp",
        "/",
        "//[",
        "//:b:c",
        "http://[",
        "http://localhost/mcp",
        "*",
        "/mcp?a=%",
        "/callback?state=%",
        "/api/status",
        "/api/events",
        "/api/logs?limit=-1",
        "/api/logs?limit=1e9",
        "/api/servers/%",
        "/api/servers/%00",
        "/api/servers/raw/reconnect",
        "/api/servers/__proto__/disable",
        "/api/tools?server=%ff",
        "/api/call",
        "/health",
        "/metrics",
        "/status/../../x"
      ),
      fc.webPath(),
      fc.string({ unit: fc.constantFrom(..."/[]%?#@:.\\ax0") }).map((one) => `/${one}`)
    ),
    headers: fc.array(
      fc.tuple(
        fc.constantFrom(
          "Accept",
          "Content-Type",
          "Content-Length",
          "Content-Encoding",
          "Transfer-Encoding",
          "Connection",
          "Expect",
          "Upgrade",
          "Origin",
          "Sec-Fetch-Site",
          "Authorization",
          "Mcp-Session-Id",
          "Last-Event-ID",
          "MCP-Protocol-Version",
          "Mcp-Method",
          "Mcp-Name",
          "X-Lifeline",
          "Host",
          "Cookie"
        ),
        fc.oneof(
          fc.constantFrom(
            "application/json, text/event-stream",
            "application/json",
            "text/event-stream",
            "2025-11-25",
            "2026-07-28",
            "tools/call",
            "chunked",
            "100-continue",
            "websocket",
            "gzip",
            "=?base64?====?=",
            "http://[",
            "null",
            "-1",
            "0.0~."
          ),
          headerText
        )
      ),
      { maxLength: 6 }
    ),
    usual: fc.boolean(),
    body: fc.option(line, { nil: undefined })
  }).map(({ body, headers, method, target, usual }) =>
    [
      `${method} ${target} HTTP/1.1`,
      `Host: ${host}`,
      ...(usual
        ? [
          "Accept: application/json, text/event-stream",
          "Content-Type: application/json",
          "MCP-Protocol-Version: 2025-11-25"
        ]
        : []),
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
      "",
      body ?? ""
    ].join("\r\n")
  )

/** Sends bytes, and resolves with the beginning of what comes back; "" where nothing does in time, or the connection is refused. */
export const exchange = (port: number, bytes: string, limit = 300): Promise<string> =>
  new Promise((resolve) => {
    let got = ""
    const socket = connect({ host: "127.0.0.1", port })
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(got)
    }
    const timer = setTimeout(done, limit)
    socket.on("error", done)
    socket.on("close", done)
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString("latin1")
      done()
    })
    socket.write(bytes)
  })

/** What would have ended the program while a piece of work was under way. */
export const uncaught = async (work: () => Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const found: Array<unknown> = []
  const note = (error: unknown): void => void found.push(error)
  const events = ["uncaughtException", "unhandledRejection"] as const
  const before = events.map((event) => process.rawListeners(event))
  // The test runner's own listeners would fail whatever test runs then, and not say which input it was.
  for (const event of events) process.removeAllListeners(event).on(event as never, note as never)
  try {
    await work()
    await new Promise((resolve) => setTimeout(resolve, 20))
  } finally {
    for (const [index, event] of events.entries()) {
      process.removeListener(event as never, note as never)
      for (const listener of before[index] ?? []) process.on(event as never, listener as never)
    }
  }
  return found
}
