import { Bytes } from "@mcp-lifeline/core/text"
import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as PendingLogin from "@mcp-lifeline/sign-in/PendingLogin"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Framing, StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Cause, Effect, Exit, Option, Runtime } from "effect"
import * as fc from "fast-check"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import * as Challenge from "../../sign-in/src/Challenge.js"
import * as Discovery from "../../sign-in/src/Discovery.js"
import * as Login from "../../sign-in/src/Login.js"
import * as RedirectListener from "../../sign-in/src/RedirectListener.js"
import * as Registration from "../../sign-in/src/Registration.js"
import * as TokenEndpoint from "../../sign-in/src/TokenEndpoint.js"
import { folder as newFolder } from "../../testing/test/support/folder.js"
import * as McpJson from "../src/config/McpJson.js"
import * as Json from "../src/document/Json.js"
import * as Toml from "../src/document/Toml.js"
import { Unreadable } from "../src/document/Tree.js"
import * as Yaml from "../src/document/Yaml.js"
import { StdioHost } from "../src/wrap/StdioHost.js"
import * as Hostile from "./support/Hostile.js"
import * as RawServer from "./support/RawServer.js"
import { gateway } from "./support/Talk.js"
import { describe, expect, it, test } from "./support/vitest.js"
import * as Wrapped from "./support/Wrapped.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

/** Checks an asynchronous property; nothing in it may end the program. */
const holds = (property: fc.IAsyncProperty<any>, numRuns: number) =>
  promise(async () => {
    const found = await Hostile.uncaught(() => fc.assert(property, Hostile.runs(numRuns)))
    expect(found).toEqual([])
  })

describe("files of any form", () => {
  const configText = fc.oneof(
    Hostile.text,
    Hostile.jsonText,
    Hostile.json.map((value) => Hostile.written({ mcpServers: value })),
    fc.dictionary(
      Hostile.text,
      fc.record({ command: Hostile.json, args: Hostile.json, env: Hostile.json, lifeline: Hostile.json }, {
        requiredKeys: []
      })
    )
      .map((servers) => Hostile.written({ mcpServers: servers })),
    fc.constantFrom(
      `{"mcpServers":{"a":{"command":"x","args":${Hostile.deepText(20_000)}}}}`,
      `{"mcpServers":${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}}`,
      `{"mcpServers":{"a":{"command":"\${constructor}","args":["${"${".repeat(1000)}"]}}}`,
      `a = ${"[".repeat(20_000)}`,
      `a = """${"x".repeat(100_000)}`,
      `${"a.".repeat(10_000)}a = 1`,
      `a: &a [${"*a,".repeat(1000)}]`,
      `${"- ".repeat(20_000)}a`,
      `a: &a ["x","x"]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d]`
    )
  )

  it("[X1:real] a configuration is read, or what is wrong with it is said", () => {
    fc.assert(
      fc.property(configText, fc.constantFrom("/x/mcp.json", "/x/config.toml"), (text, file) => {
        McpJson.parse(file, text, {})
      }),
      Hostile.runs(300)
    )
  })

  it("[X1:real] a document in each format is read, or is unreadable", () => {
    fc.assert(
      fc.property(configText, fc.constantFrom(Json.syntax, Toml.syntax, Yaml.syntax), (text, syntax) => {
        for (const read of [syntax.value, syntax.tree]) {
          try {
            read(text)
          } catch (error) {
            if (!(error instanceof Unreadable)) throw error
          }
        }
      }),
      Hostile.runs(300)
    )
  })

  it("[X1:unit] of any number of mistakes some are said", () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `"k${index}": 1`).join(",\n")
    for (const more of [keys, `"lifeline":{${keys}}`]) {
      const text = `{"mcpServers":{"a":{"command":"x",${more}}}}`
      const read = McpJson.parse("/x/mcp.json", text, {})
      expect(read).toMatchObject({ _tag: "Right" })
      expect(read._tag === "Right" && read.right.problems.length).toBeLessThan(200)
    }
    const long = `{"mcpServers":{"a":{"command":"x","${"k".repeat(1e6)}":1}}}`
    expect(McpJson.parse("/x/mcp.json", long, {})._tag).toBe("Right")
  })

  test.scopedLive("[X1:real] a file of the state folder that holds anything is ignored", function*() {
    const path = yield* newFolder
    const folder = StateFolder.make(path)
    for (const name of ["grants", "logins"]) mkdirSync(join(path, name), { recursive: true, mode: 0o700 })
    yield* holds(
      fc.asyncProperty(fc.oneof(Hostile.jsonText, Hostile.text), async (text) => {
        for (const name of ["grants", "logins"]) writeFileSync(join(path, name, "key.json"), text, { mode: 0o600 })
        await Effect.runPromise(Effect.zip(Grant.grants(folder).entries, PendingLogin.pendingLogins(folder).entries))
      }),
      60
    )
  })
})

describe("streams of any form", () => {
  it("[X1:real] lines of any bytes, in any pieces, are frames", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.integer({ min: 1, max: 60 }), (chunks, most) => {
        const framing = new Framing(Bytes(most), Bytes(1000))
        for (const chunk of chunks) framing.push(Buffer.from(chunk), () => undefined)
        return typeof framing.begun === "string"
      }),
      Hostile.runs(500)
    )
  })

  test.scopedLive("[X1:real] whatever a host writes, it is answered in JSON-RPC, and the next request is answered", function*() {
    const host = yield* Wrapped.make(() => undefined)
    const input = new PassThrough()
    const output = new PassThrough()
    let wrote = ""
    output.on("data", (chunk: Buffer) => (wrote += String(chunk)))
    const stdio = new StdioHost(input, output, {
      conversation: {
        request: ({ id, method, params }) => host.receive({ id, method, params }),
        receive: (message) => host.receive(message)
      },
      onEnd: () => undefined
    })
    yield* promise(host.initialize)
    let asked = 0
    yield* holds(
      fc.asyncProperty(fc.array(Hostile.line, { minLength: 1, maxLength: 5 }), async (lines) => {
        input.write(lines.map((line) => `${line}\n`).join(""))
        const id = `after-${++asked}`
        input.write(`${JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })}\n`)
        await host.until(() => host.said.find((one) => one.id === id))
        await stdio.flushed()
        for (const line of wrote.split("\n").slice(0, -1)) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" })
        wrote = ""
      }),
      100
    )
  })

  test.scopedLive(
    "[X1:real] whatever a server says, another one is not held up, and `wrap` lives on",
    function*() {
      const said: Array<unknown> = []
      const results: Array<unknown> = []
      const hostile: RawServer.Answer = ({ id, method }, send) => {
        for (const one of said) send(one)
        if (method === undefined || id === undefined) return undefined
        const result = results.shift()
        if (result === undefined) return method === "tools/call" ? { content: [] } : undefined
        send({ jsonrpc: "2.0", id, result })
        return undefined
      }
      const fine = RawServer.make("fine", ({ method }) =>
        method === "tools/list"
          ? { tools: [{ name: "x", inputSchema: { type: "object" } }] }
          : method === "tools/call"
          ? { content: [{ type: "text", text: "fine" }] }
          : undefined)
      const timeouts = { connect: "1 second", request: "1 second", wait: "100 millis" } as const
      const { client } = yield* gateway([{ ...RawServer.make("raw", hostile), timeouts }, fine])
      const one = yield* client()
      yield* promise(() => one.toolsWith("fine__x"))
      const host = yield* Wrapped.make(hostile)
      yield* promise(host.initialize)
      let asked = 0
      yield* holds(
        fc.asyncProperty(
          fc.array(Hostile.message, { maxLength: 3 }),
          fc.array(Hostile.json, { maxLength: 3 }),
          async (messages, answers) => {
            said.splice(0, said.length, ...messages)
            results.splice(0, results.length, ...answers)
            one.send({ id: `raw-${++asked}`, method: "tools/call", params: { name: "raw__x", arguments: {} } })
            host.receive({ id: `raw-${asked}`, method: "tools/call", params: { name: "x" } })
            host.receive({ id: `list-${asked}`, method: "tools/list" })
            expect(await one.call("fine__x")).toBe("fine")
            const id = `ping-${asked}`
            host.receive({ id, method: "ping" })
            await host.until(() => host.said.find((message) => message.id === id))
          }
        ),
        60
      )
    },
    300_000
  )

  test.scopedLive("[X1:real] whatever a real server writes to its stdout and stderr, connecting fails with an error, and no more", function*() {
    const path = join(yield* newFolder, "hostile.txt")
    yield* promise(async () => {
      const found = await Hostile.uncaught(async () => {
        const lines = fc.sample(Hostile.line, Hostile.runs(300))
        writeFileSync(path, lines.join("\n"))
        const script =
          `const t=require("fs").readFileSync(${
            JSON.stringify(path)
          });process.stdout.write(t);process.stderr.write(t);` +
          `setTimeout(()=>process.exit(3),300)`
        const connector = StdioConnector.make({ command: process.execPath, args: ["-e", script], protocol: "2025" })
        const exit = await Effect.runPromiseExit(
          Effect.scoped(connector.connect({ clientInfo: { name: "t", version: "1" }, report: () => {} }))
        )
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(false)
      })
      expect(found).toEqual([])
    })
  })
})

describe("requests of any form", () => {
  test.scopedLive("[X1:real] to the endpoint of the gateway", function*() {
    const servers = yield* ServerPool.make([RawServer.make("raw", () => undefined)])
    const bound = yield* Endpoint.bind({ host: "127.0.0.1", port: 0 })
    const { url } = yield* Endpoint.serve({ ...bound, servers })
    const { port } = new URL(url)
    yield* holds(
      fc.asyncProperty(
        fc.array(Hostile.httpRequest(`127.0.0.1:${port}`), { minLength: 5, maxLength: 10 }),
        async (all) => {
          await Promise.all(all.map((bytes) => Hostile.exchange(Number(port), bytes)))
          const nothing = `GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
          const answer = await Hostile.exchange(Number(port), nothing, 300_000)
          expect(answer).toMatch(/^HTTP\/1\.1 404/)
        }
      ),
      20
    )
  }, 300_000)

  test.scopedLive("[X1:real] to the listener of a login", function*() {
    const listener = Option.getOrThrow(
      Option.fromNullable(yield* RedirectListener.make({ host: "localhost", port: 0, path: "/callback" }))
    )
    const { host, port } = new URL(listener.redirect)
    const runtime = yield* Effect.runtime<never>()
    const arrived = Runtime.runPromise(runtime)(listener.arrival("the state"))
    yield* holds(
      fc.asyncProperty(fc.array(Hostile.httpRequest(host), { minLength: 5, maxLength: 10 }), async (all) => {
        await Promise.all(all.map((bytes) => Hostile.exchange(Number(port), bytes)))
      }),
      20
    )
    const request = `GET /callback?state=the+state&code=1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    // Answered once the login is over, which nobody ends here.
    void Hostile.exchange(Number(port), request, 60_000)
    expect((yield* promise(() => arrived)).parameters.get("code")).toBe("1")
  }, 300_000)
})

describe("answers of authorization servers of any form", () => {
  const issuer = "https://as.example"
  const server = new URL("https://mcp.example/mcp")
  const address = fc.oneof(
    Hostile.text,
    fc.constantFrom(issuer, `${issuer}/x`, "http://[", "https://[::1]", "file:///x"),
    Hostile.json
  )
  const metadata = fc.record({
    issuer: fc.oneof(fc.constant(issuer), address),
    resource: fc.oneof(fc.constant(server.href), address),
    authorization_servers: fc.oneof(fc.constant([issuer]), fc.array(address), Hostile.json),
    authorization_endpoint: address,
    token_endpoint: fc.oneof(fc.constant(`${issuer}/token`), address),
    registration_endpoint: fc.oneof(fc.constant(`${issuer}/register`), address),
    code_challenge_methods_supported: fc.oneof(fc.constant(["S256"]), Hostile.json),
    scopes_supported: Hostile.json,
    client_id: fc.oneof(Hostile.text, Hostile.json),
    client_secret: Hostile.json,
    client_secret_expires_at: Hostile.json,
    access_token: fc.oneof(Hostile.text, Hostile.json),
    token_type: fc.oneof(fc.constant("Bearer"), Hostile.json),
    expires_in: fc.oneof(fc.constantFrom(1e308, -1, 0), Hostile.json),
    error: fc.oneof(Hostile.text, Hostile.json),
    error_description: fc.oneof(Hostile.text, Hostile.json)
  }, { requiredKeys: [] })
  const answer = fc.record({
    status: fc.oneof({ weight: 4, arbitrary: fc.constant(200) }, {
      weight: 1,
      arbitrary: fc.constantFrom(201, 302, 400, 401, 404, 500)
    }),
    body: fc.oneof({ weight: 6, arbitrary: metadata.map(Hostile.written) }, {
      weight: 1,
      arbitrary: fc.oneof(Hostile.jsonText, Hostile.text)
    })
  })

  it.scopedLive("[X1:real] lead to tokens, or to a failure that is said", () =>
    holds(
      fc.asyncProperty(fc.infiniteStream(answer), Hostile.text, async (answers, challenge) => {
        const fetch = async () => {
          const { body, status } = answers.next().value
          return new Response(body, { status })
        }
        const refusal = Challenge.read(
          { status: 401, challenge: `Bearer resource_metadata="${challenge}", scope=${challenge}` } as never
        )
        const work = Effect.gen(function*() {
          const discovered = yield* Discovery.discover(fetch, server, refusal, undefined)
          const client = yield* Registration.choose({
            fetch,
            discovered,
            configured: {},
            kept: undefined,
            redirect: "http://localhost/callback",
            scope: challenge,
            now: 0
          })
          const { metadata } = discovered
          const asker = { fetch, metadata, client, signingKey: undefined, resource: discovered.resource }
          yield* Effect.either(TokenEndpoint.tokens(asker, { grant_type: "refresh_token", refresh_token: "x" }))
          yield* Login.begin({
            fetch,
            server: server.href,
            account: "default",
            discovered,
            scope: challenge,
            configured: {},
            kept: client,
            places: [{ host: "localhost", port: 0, path: "/callback" }]
          })
        })
        const exit = await Effect.runPromiseExit(Effect.scoped(work))
        expect(Exit.isSuccess(exit) || Option.isSome(Cause.failureOption(exit.cause)) ? "" : String(exit)).toBe("")
      }),
      150
    ))
})
