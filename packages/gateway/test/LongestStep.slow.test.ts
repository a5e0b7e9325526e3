import { Effect } from "effect"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { text } from "node:stream/consumers"
import { folder } from "../../testing/test/support/folder.js"
import { listening } from "../../testing/test/support/listening.js"
import * as Gateway from "./support/Gateway.js"
import { accept } from "./support/Served.js"
import { describe, expect, test } from "./support/vitest.js"

const largest = 15.5 * 1024 * 1024

/** Writes how long the longest step took since somebody removed the file, in milliseconds: of processor time, where others use it, too. */
const monitor = (file: string): string => `
  import { existsSync, writeFileSync } from "node:fs"
  const used = () => {
    const { system, user } = process.cpuUsage()
    return (system + user) / 1000
  }
  let [last, lastUsed, longest] = [performance.now(), used(), 0]
  setInterval(() => {
    const step = Math.min(performance.now() - last, used() - lastUsed)
    if (!existsSync(${JSON.stringify(file)})) longest = 0
    if (step > longest) writeFileSync(${JSON.stringify(file)}, String(longest = step))
    ;[last, lastUsed] = [performance.now(), used()]
  }, 2).unref()
`

const answers = (text: string, read: (file: string) => string): ReadonlyArray<string> => {
  const results: Readonly<Record<string, object>> = {
    "initialize": {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} },
      serverInfo: { name: "odd", version: "1" }
    },
    "tools/list": { tools: [{ name: "odd", inputSchema: { type: "object" } }] },
    "prompts/list": { prompts: [] },
    "resources/list": { resources: [] },
    "resources/templates/list": { resourceTemplates: [] },
    "ping": {}
  }
  const { id, method, params } = JSON.parse(text)
  if (id === undefined) return []
  const file = params?.arguments?.file
  return file === undefined
    ? [JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? { content: [] } })]
    : read(file).replace("ID", id).split("\n")
}

const program = `
  import { readFileSync } from "node:fs"
  import { createInterface } from "node:readline"
  const answers = ${String(answers)}
  createInterface({ input: process.stdin }).on("line", (line) => {
    for (const answer of answers(line, (file) => readFileSync(file, "utf8"))) process.stdout.write(answer + "\\n")
  })
`

const overHttp = Effect.gen(function*() {
  const server = createServer((request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    void text(request).then((body) => {
      const found = answers(body, (file) => readFileSync(file, "utf8"))
      if (found.length === 0) return response.writeHead(202).end()
      const isStream = request.url === "/stream"
      response.setHeader("Content-Type", isStream ? "text/event-stream" : "application/json")
      return response.end(isStream ? found.map((answer) => `data: ${answer}\n\n`).join("") : found.at(-1))
    })
  })
  return yield* listening(server)
})

const filled = (unit: (index: number) => string, open: string, close: string): string => {
  const parts: Array<string> = []
  for (let [index, length] = [0, 0]; length < largest; index++) {
    const part = unit(index)
    parts.push(part)
    length += part.length + 1
  }
  return `${open}${parts.join()}${close}`
}

/** Values of 15.5 MiB, as text. */
const shapes: Readonly<Record<string, () => string>> = {
  "empty objects": () => filled(() => "{}", "[", "]"),
  "empty arrays": () => filled(() => "[]", "[", "]"),
  "numbers": () => filled(() => "1", "[", "]"),
  "exact numbers": () => filled(() => "1.0", "[", "]"),
  "long numbers": () => filled((index) => `${index}${"9".repeat(60)}.0`, "[", "]"),
  "names": () => filled((index) => `"${index}x":1`, "{", "}"),
  "long names": () => filled((index) => `"${"n".repeat(60)}${index}":1`, "{", "}"),
  "numbered names": () => filled((index) => `"${index}":1`, "{", "}"),
  "objects of other names": () => filled((index) => `{"a${index}":1}`, "[", "]"),
  "texts": () => filled((index) => `"t${index}"`, "[", "]"),
  "one text": () => `"${"a".repeat(largest)}"`,
  "a text of escapes": () => `"${"\\u0001".repeat(largest / 6)}"`,
  "digits in a text": () => `"${"1.0 ,".repeat(largest / 5)}"`
}

const post = (base: string, body: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${base}/mcp`, {
      method: "POST",
      headers: {
        ...accept,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": String(/"method":"([^"]*)"/.exec(body.slice(0, 300))?.[1]),
        "mcp-name": String(/"name":"([^"]*)"/.exec(body.slice(0, 300))?.[1] ?? "x")
      },
      body
    })
    await response.text()
    return response.status
  })

describe("the event loop of serve", () => {
  test.scopedLive(
    "[X1] is held for at most a quarter of a second by the largest message of any shape, of a client or of a server",
    function*() {
      const path = yield* folder
      const [measured, server] = [join(path, "longest"), join(path, "server.mjs")]
      writeFileSync(server, program)
      const http = yield* overHttp
      const url = `data:text/javascript,${encodeURIComponent(monitor(measured))}`
      const { base } = yield* Gateway.serve(
        {
          odd: { command: process.execPath, args: [server], env: { NODE_OPTIONS: "" } },
          json: { url: `${http}/json` },
          stream: { url: `${http}/stream` }
        },
        [],
        { NODE_OPTIONS: `--import ${url}` }
      )
      for (const name of ["odd", "json", "stream"]) yield* Gateway.untilStatus(base, Gateway.isConnected, name)
      const seen: Array<readonly [string, number]> = []
      /** A machine that is busy, or slow, takes its time for everything. */
      const slowness = Effect.sync(() => {
        const text = filled((index) => `"${index}x":1`, "{", "}").slice(0, 1_500_000).replace(/,[^,]*$/, "}")
        const at = performance.now()
        JSON.parse(text)
        return Math.max(1, (performance.now() - at) / 100)
      })
      const look = Effect.fnUntraced(function*(what: string) {
        yield* Effect.sleep("100 millis")
        seen.push([what, Number(readFileSync(measured, "utf8"))])
        rmSync(measured)
      })
      const meta =
        '"_meta":{"io.modelcontextprotocol/logLevel":"debug","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"}}'
      const answer = `{"jsonrpc":"2.0","id":ID,"result":{"content":[]}}`
      // The schemas that say what is wrong are loaded once.
      yield* post(base, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${meta}}}`)
      yield* look("the start")
      for (const [name, shape] of Object.entries(shapes)) {
        const value = shape()
        const record = value.startsWith("{") ? value : `{"x":${value}}`
        const params: Readonly<Record<string, string>> = {
          "tools/call": `"name":"odd__odd","arguments":${record},${meta}`,
          "prompts/get": `"name":"odd__p","arguments":${record},${meta}`,
          "resources/read": `"uri":"odd:x","more":${value},${meta}`,
          "completion/complete":
            `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"},"context":{"arguments":${record}},${meta}`,
          "logging/setLevel": `"level":${value},${meta}`
        }
        for (const [method, text] of Object.entries(params)) {
          yield* post(base, `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${text}}}`)
          yield* look(`${method}: ${name}`)
        }
        for (
          const [where, message] of Object.entries({
            "result": `{"jsonrpc":"2.0","id":ID,"result":{"content":[],"x":${value}}}`,
            "error": `{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"x","data":${value}}}`,
            "what is no message": `{"id":ID,"x":${value}}`,
            "log message":
              `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":${value}}}\n${answer}`,
            "question":
              `{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}},"x":${value}}}\n${answer}`
          })
        ) {
          const file = join(path, "result.json")
          writeFileSync(file, message)
          // What has too many values is refused in the same way wherever it comes from; in JSON nothing comes before the answer.
          const froms = /text|long numbers/.test(name)
            ? ["odd", "stream", ...message.includes("\n") ? [] : ["json"]]
            : ["odd"]
          for (const from of froms) {
            const call = `"name":"${from}__odd","arguments":{"file":${JSON.stringify(file)}},${meta}`
            yield* Effect.timeoutOption(
              post(base, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${call}}}`),
              "2 seconds"
            )
            yield* look(`${where}: ${name}, from ${from}`)
          }
        }
      }
      const limit = 250 * (yield* slowness)
      expect(seen.slice(1).filter(([, longest]) => longest > limit), `the limit is ${limit} ms`).toEqual([])
    },
    600_000
  )
})
