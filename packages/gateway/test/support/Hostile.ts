import * as fc from "fast-check"
import { connect } from "node:net"

/** A failure prints it, and LIFELINE_FUZZ_SEED replays it. */
export const seed = Number(process.env["LIFELINE_FUZZ_SEED"] ?? Math.trunc(Math.random() * 2 ** 31))

/** Multiplies the runs of each property: LIFELINE_FUZZ_ROUNDS=100 looks for long. */
const rounds = Number(process.env["LIFELINE_FUZZ_ROUNDS"] ?? 1)

export const runs = (numRuns: number) => ({
  numRuns: numRuns * rounds,
  // Shrinking what is large takes longer than to look at it.
  endOnFailure: true,
  seed,
  // What takes so long for one value hangs. The test's own limit would not say for which.
  timeout: 120_000
})

export const deepText = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

const oddTexts = [
  ...["", "\u0000", "\uD800", "__proto__", "constructor", "toString", "//[", "http://[", "lifeline://status"],
  ...["%", "%00", "{{{{", "\u001B]0;x\u0007", "9007199254740993", "x".repeat(20_000)]
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

export const json: fc.Arbitrary<unknown> = jsonText.map((one) => {
  try {
    return JSON.parse(one) as unknown
  } catch {
    return one
  }
})

const methods = (
  "initialize ping tools/list tools/call prompts/get resources/read resources/subscribe completion/complete "
  + "logging/setLevel subscriptions/listen server/discover sampling/createMessage roots/list elicitation/create "
  + "notifications/initialized notifications/cancelled notifications/progress notifications/message "
  + "notifications/tools/list_changed notifications/resources/updated"
).split(" ")

const id = fc.oneof(fc.nat(5), fc.string(), fc.constantFrom(2 ** 53 + 2, -1, 1.5, null), json)

const params = fc.oneof(
  json,
  fc.record({
    name: fc.oneof(text, fc.constantFrom("raw__x", "lifeline__status"), json),
    uri: fc.oneof(text, json),
    protocolVersion: fc.oneof(fc.constantFrom("2025-11-25", "2026-07-28"), json),
    ...{ requestId: id, progressToken: id, progress: json, arguments: json, cursor: json, level: json },
    ...{ capabilities: json, clientInfo: json, notifications: json, ref: json, argument: json },
    _meta: fc.oneof(
      json,
      fc.record({
        progressToken: id,
        "io.modelcontextprotocol/protocolVersion": fc.oneof(fc.constant("2026-07-28"), json),
        "io.modelcontextprotocol/clientInfo": json,
        "io.modelcontextprotocol/clientCapabilities": json
      }, { requiredKeys: [] })
    )
  }, { requiredKeys: [] })
)

export const message: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 1, arbitrary: json },
  {
    weight: 8,
    arbitrary: fc.record({
      jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant("2.0") }, { weight: 1, arbitrary: json }),
      id,
      method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...methods) }, { weight: 1, arbitrary: json }),
      params
    }, { requiredKeys: ["jsonrpc"] })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      jsonrpc: fc.constant("2.0"),
      id,
      result: json,
      error: fc.oneof(json, fc.record({ code: json, message: fc.oneof(text, json), data: json }))
    }, { requiredKeys: ["jsonrpc"] })
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

const targets = (
  "/mcp / //[ //:b:c http://[ http://localhost/mcp * /mcp?a=% /callback?state=% /api/status /api/events "
  + "/api/logs?limit=-1 /api/logs?limit=1e9 /api/servers/% /api/servers/%00 /api/servers/raw/reconnect "
  + "/api/servers/__proto__/disable /api/tools?server=%ff /api/call /health /metrics /status/../../x"
).split(" ")

const headerNames = (
  "Accept Content-Type Content-Length Content-Encoding Transfer-Encoding Connection Expect Upgrade Origin Sec-Fetch-Site "
  + "Authorization Mcp-Session-Id Last-Event-ID MCP-Protocol-Version Mcp-Method Mcp-Name X-Lifeline Host Cookie"
).split(" ")

const headerValues = [
  "application/json, text/event-stream",
  ...["application/json", "text/event-stream", "2025-11-25", "2026-07-28", "tools/call", "chunked", "100-continue"],
  ...["websocket", "gzip", "=?base64?====?=", "http://[", "null", "-1", "0.0~."]
]

export const httpRequest = (host: string): fc.Arbitrary<string> =>
  fc.record({
    method: fc.constantFrom("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH", "CONNECT", "TRACE", "get", "X"),
    target: fc.oneof(
      fc.constantFrom(...targets),
      fc.webPath(),
      fc.string({ unit: fc.constantFrom(..."/[]%?#@:.\\ax0") }).map((one) => `/${one}`)
    ),
    headers: fc.array(
      fc.tuple(fc.constantFrom(...headerNames), fc.oneof(fc.constantFrom(...headerValues), headerText)),
      { maxLength: 6 }
    ),
    isUsual: fc.boolean(),
    body: fc.option(line, { nil: undefined })
  }).map(({ body, headers, isUsual, method, target }) =>
    [
      `${method} ${target} HTTP/1.1`,
      `Host: ${host}`,
      ...(isUsual ? [...usual, "MCP-Protocol-Version: 2025-11-25"] : []),
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
      "",
      body ?? ""
    ].join("\r\n")
  )

/** What no client sends whose requests a parser has to refuse, or whose rest it waits for. */
const brokenRequests = (host: string): ReadonlyArray<string> => {
  const head = (...lines: ReadonlyArray<string>): string => `${lines.join("\r\n")}\r\n\r\n`
  const post = (...lines: ReadonlyArray<string>): string =>
    head("POST /mcp HTTP/1.1", `Host: ${host}`, "Accept: */*", "Content-Type: application/json", ...lines)
  const chunked = post("Transfer-Encoding: chunked")
  return [
    ...["//[", "//:b:c", "http://[", "http://x:99999/mcp", "*", "/%", "/\\", "?", "", "\u0000"].flatMap((target) =>
      ["GET", "POST", "OPTIONS"].map((method) => head(`${method} ${target} HTTP/1.1`, `Host: ${host}`, "X-Lifeline: 1"))
    ),
    head("CONNECT localhost:1 HTTP/1.1", `Host: ${host}`),
    head("GET /mcp HTTP/1.1", "Host: [", "Origin: http://["),
    head("GET /mcp HTTP/1.1", "Host: example.com"),
    head("GET /mcp HTTP/1.1"),
    head("GET /mcp HTTP/1.0"),
    head("GET /mcp HTTP/9.9", `Host: ${host}`),
    head("GET /mcp HTTP/1.1", `Host: ${host}`, "Host: localhost"),
    head("GET /mcp HTTP/1.1", `Host: ${host}`, "Upgrade: websocket", "Connection: Upgrade"),
    head("GET /health HTTP/1.1", `Host: ${host}`, "Expect: 100-continue"),
    head("GET /health HTTP/1.1", `Host: ${host}`, "Expect: anything"),
    head("GET /health HTTP/1.1", `Host: ${host}`, `X: ${"x".repeat(100_000)}`),
    head("GET /health HTTP/1.1", `Host: ${host}`, ...Array.from({ length: 3000 }, (_, index) => `X-${index}: 1`)),
    `GET /health HTTP/1.1\r\nHost: ${host}\r\nX-Half`,
    "GET",
    "\u0000\u0001\u0002",
    "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
    `${chunked}5\r\n{"id"\r\n`,
    `${chunked}ffffffffffffffffff\r\n{`,
    `${chunked}zz\r\n`,
    `${chunked}1;x="\r\n{\r\n0\r\n\r\n`,
    `${post("Content-Length: 10")}{"a":`,
    `${post("Content-Length: -1")}{}`,
    `${post("Content-Length: 99999999999999999999")}{}`,
    `${post("Content-Length: 2", "Content-Length: 3")}{}`,
    `${post("Content-Length: 2", "Transfer-Encoding: chunked")}{}`,
    `${post("Mcp-Session-Id: a", "Mcp-Session-Id: b", "Content-Length: 2")}{}`,
    `${post("Content-Encoding: gzip", "Content-Length: 2")}{}`,
    `${post(`Content-Length: ${2 * 20_000}`)}${deepText(20_000)}`,
    `${post("Content-Length: 3")}\u00ff\u00fe{`,
    ...["/api/call", "/api/status", "/api/logs?limit=%", "/api/events?server=%ff", "/status", "/metrics"].map((path) =>
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Lifeline: 1\r\nContent-Type: application/json\r\nContent-Length: 40000\r\n\r\n${
        deepText(20_000)
      }`
    )
  ]
}

const usual = ["Accept: application/json, text/event-stream", "Content-Type: application/json"]

const post = (host: string, body: string, headers: ReadonlyArray<string>): string => {
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return ["POST /mcp HTTP/1.1", `Host: ${host}`, ...usual, ...headers, length, "", body].join("\r\n")
}

/** A request of the protocol without sessions, whose headers are right and whose content is not. */
const statelessRequest = (host: string): fc.Arbitrary<string> =>
  fc.record({ method: fc.constantFrom(...methods), params, id }).map(({ id, method, params }) => {
    const prefix = "io.modelcontextprotocol/"
    const _meta = {
      [`${prefix}protocolVersion`]: "2026-07-28",
      [`${prefix}clientInfo`]: { name: "hostile", version: "1" },
      [`${prefix}clientCapabilities`]: {}
    }
    const given = typeof params === "object" && params !== null && !Array.isArray(params) ? params : {}
    const { name, uri } = given as { readonly name?: unknown; readonly uri?: unknown }
    const body = written({ jsonrpc: "2.0", id, method, params: { ...given, _meta } })
    const named = method === "resources/read" ? uri : name
    return post(host, body, [
      "MCP-Protocol-Version: 2026-07-28",
      `Mcp-Method: ${method}`,
      ...typeof named === "string" ? [`Mcp-Name: =?base64?${Buffer.from(named).toString("base64")}?=`] : []
    ])
  })

const sessionRequest = (host: string, session: string): fc.Arbitrary<string> =>
  line.map((body) => post(host, body, ["MCP-Protocol-Version: 2025-11-25", `Mcp-Session-Id: ${session}`]))

const damaged = (whole: fc.Arbitrary<string>): fc.Arbitrary<Buffer> =>
  fc.record({ whole, at: fc.nat(), removed: fc.nat(20), added: fc.uint8Array({ maxLength: 20 }) })
    .map(({ added, at, removed, whole }) => {
      const bytes = Buffer.from(whole)
      const start = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, start), added, bytes.subarray(start + removed)])
    })

/** Every broken request once, so that none is left to chance. */
export const everyBrokenRequest = (host: string): ReadonlyArray<Buffer> =>
  brokenRequests(host).map((one) => Buffer.from(one, "latin1"))

const noise = fc.uint8Array({ maxLength: 200 }).map((one) => Buffer.from(one))

export const connection = (host: string, session: string): fc.Arbitrary<Buffer> => {
  const request = fc.oneof(
    { weight: 4, arbitrary: httpRequest(host) },
    { weight: 3, arbitrary: sessionRequest(host, session) },
    { weight: 2, arbitrary: statelessRequest(host) }
  )
  return fc.oneof(
    { weight: 6, arbitrary: request.map((one) => Buffer.from(one)) },
    { weight: 3, arbitrary: damaged(request) },
    { weight: 1, arbitrary: noise }
  )
}

export const piped: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: line.map((one) => Buffer.from(`${one}\n`)) },
  { weight: 2, arbitrary: damaged(line.map((one) => `${one}\n`)) },
  { weight: 1, arbitrary: noise },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "[]\n",
      '[{"jsonrpc":"2.0","id":1,"method":"ping"}]\n',
      `{"jsonrpc":"2.0","id":${"9".repeat(10_000)},"method":"ping"}\n`,
      `{"jsonrpc":"2.0","id":"${"x".repeat(1_000_000)}","method":"ping"}\n`,
      `{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}\n`,
      `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${deepText(50_000)}}\n`,
      `${"{".repeat(1_000_000)}\n`,
      "\u0000\u0000\n",
      "\r\r\r\n",
      "\u2028\n",
      "no line feed"
    ).map((one) => Buffer.from(one))
  }
)

/** Sends bytes, and resolves with the beginning of what comes back; "" where nothing does in time, or the connection is refused. */
export const exchange = (port: number, bytes: string | Uint8Array, limit = 300): Promise<string> =>
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
