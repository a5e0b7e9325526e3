import { ReservedPort } from "@mcp-lifeline/testing"
import { discoverOAuthProtectedResourceMetadata } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as Chromium from "../support/Chromium.js"
import * as Issuer from "../support/Issuer.js"
import * as Program from "../support/Program.js"
import * as Proxy from "../support/Proxy.js"
import { listing, scripted } from "../support/Scripted.js"
import { accept } from "../support/Served.js"
import { server as serverOf, shows } from "../support/StatusPage.js"
import { reconnectionOptions } from "../support/Unaware.js"
import { describe, expect, test } from "../support/vitest.js"

/** A server whose calls wait for each other, so that what is not passed on at once is never passed on. */
const [, command, ...args] = scripted(
  `
  globalThis.held ??= []
  const { progressToken } = params._meta ?? {}
  if (name === "hold") {
    held.push(() => send(said("released")))
    if (progressToken !== undefined) send({ method: "notifications/progress", params: { progressToken, progress: 1 } })
  } else if (name === "release") {
    for (const release of held.splice(0)) release()
    send({ method: "notifications/message", params: { level: "warning", data: "released" } }, said("done"))
  } else send(said(String(params.arguments.text.length)))`,
  "",
  { before: listing("hold", "release", "length") }
)

const token = "a-token-of-ours-alone"
const headers = { authorization: `Bearer ${token}` }

const behind = (
  kind: Proxy.Kind,
  { args: more = [`--trust-proxy`, "127.0.0.1"], auth, path = "", recipe = Proxy.whole[kind]() }: {
    readonly args?: ReadonlyArray<string>
    readonly auth?: object
    readonly path?: string
    readonly recipe?: string
  } = {}
) =>
  Effect.gen(function*() {
    const place = yield* folder
    const file = join(place, "mcp.json")
    const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" }, auth }
    writeFileSync(file, JSON.stringify({ mcpServers: { gate: { command, args } }, lifeline }))
    const [port, proxyPort] = [(yield* ReservedPort.make).port, yield* Proxy.port]
    const proxy = yield* Proxy.start(kind, recipe, `127.0.0.1:${port}`, proxyPort)
    const own = ["serve", "--port", String(port), "--config", file, "--public-url", `${proxy.url}${path}`, ...more]
    const env = { MCP_LIFELINE_STATE: join(place, "state"), MCP_LIFELINE_TOKEN: token }
    const start = Effect.gen(function*() {
      const program = yield* Program.start(own, env)
      const [, url = ""] = yield* program.prints(/^Serving (https:\S+)$/m)
      yield* program.prints(new RegExp(`^  Listening for the proxy at http://127\\.0\\.0\\.1:${port}$`, "m"))
      return { program, url }
    })
    return { ...(yield* start), proxy, start }
  })

const connected = Effect.fnUntraced(function*(proxy: Proxy.Proxy, url: string) {
  const resumed: Array<string> = []
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    reconnectionOptions,
    requestInit: { headers },
    fetch: async (input, init) => {
      const response = await proxy.fetch(input, init as RequestInit)
      const after = new Headers(init?.headers).get("last-event-id")
      if (after !== null && response.ok) resumed.push(after)
      return response
    }
  })
  const client = new Client({ name: "official", version: "1" })
  const logged: Array<unknown> = []
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params.data))
  yield* Effect.acquireRelease(
    Effect.promise(() => client.connect(transport as Transport)),
    () => Effect.promise(() => client.close())
  )
  yield* eventually(() => (proxy.open("GET").length > 0 ? true : undefined))
  const call = async (tool: string, args: Record<string, unknown> = {}, onprogress?: () => void) => {
    const options = { timeout: 600_000, ...(onprogress === undefined ? {} : { onprogress }) }
    const { content } = await client.callTool({ name: `gate__${tool}`, arguments: args }, undefined, options)
    return (content as ReadonlyArray<{ readonly text: string }>)[0]?.text
  }
  return { call, client, logged, resumed, transport }
})

const held = (call: (tool: string, args: Record<string, unknown>, onprogress?: () => void) => Promise<unknown>) =>
  Effect.gen(function*() {
    let isHeard = false
    const answer = call("hold", {}, () => (isHeard = true))
    yield* eventually(() => (isHeard ? true : undefined))
    return { answer }
  })

/** The recipe with an idle timeout of this many seconds, which is less than a call of the test is silent. */
const impatient: Readonly<Record<Proxy.Kind, () => string>> = {
  nginx: () => Proxy.replaced(Proxy.whole.nginx(), "proxy_read_timeout 75s", "proxy_read_timeout 30s"),
  caddy: () =>
    Proxy.replaced(
      Proxy.whole.caddy(),
      "\t\tlb_try_duration 10s\n",
      "\t\tlb_try_duration 10s\n\t\ttransport http {\n\t\t\tread_timeout 30s\n\t\t\twrite_timeout 30s\n\t\t}\n"
    )
}
/** How long a call is silent, in milliseconds. */
const silence = 45_000

const before = (recipe: string, line: string, more: string) => Proxy.replaced(recipe, line, more + line)

/** The recipe below a path with the second location, which is not below it. */
const wellKnown: Readonly<Record<Proxy.Kind, (recipe: string) => string>> = {
  nginx: (recipe) => before(recipe, "location /tools/ {", Proxy.recipe("nginx", /^# Beside/)),
  caddy: (recipe) => before(recipe, "redir /tools /tools/", `${Proxy.recipe("caddyfile", /^# Beside/)}\t`)
}

const located = (location: string) =>
  Proxy.replaced(Proxy.whole.nginx(), "location / {\n    proxy_pass http://lifeline;\n", location)

/** The recipe below a path, which the proxy leaves or takes off. */
const below: Readonly<Record<string, readonly [Proxy.Kind, () => string]>> = {
  "nginx, which leaves the path": ["nginx", () => located(Proxy.recipe("nginx", /^location/))],
  "nginx, which takes the path off": ["nginx", () => {
    return located(Proxy.recipe("nginx", /^location/).replace("http://lifeline;", "http://lifeline/;"))
  }],
  "caddy, which leaves the path": ["caddy", () => {
    const [redirect = "", proxy = ""] = Proxy.recipe("caddyfile", /^redir/).trim().split("\n")
    return Proxy.replaced(Proxy.whole.caddy(), "reverse_proxy 127.0.0.1:7332 {", `${redirect}\n\t${proxy}`)
  }]
}

describe.each(["nginx", "caddy"] as const)("the gateway", (kind) => {
  describe.skipIf(!Proxy.isInstalled(kind))(Proxy.title(kind), () => {
    test.scopedLive("[G26:real] serves lists, calls, progress as it comes, messages, large bodies, resumed streams and ends of sessions", function*() {
      const { proxy, url } = yield* behind(kind)
      expect(url).toBe(`${proxy.url}/mcp`)
      const { call, client, logged, resumed, transport } = yield* connected(proxy, url)
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools).toContainEqual(expect.objectContaining({ name: "gate__hold" }))
      // A proxy that collects an answer would never pass this progress on.
      const first = yield* held(call)
      expect(yield* Effect.promise(() => call("release"))).toBe("done")
      expect(yield* Effect.promise(() => first.answer)).toBe("released")
      yield* eventually(() => (logged.length > 0 ? true : undefined))
      const long = "x".repeat(15 * 1024 * 1024)
      expect(yield* Effect.promise(() => call("length", { text: long }))).toBe(`${long.length}`)

      const second = yield* held(call)
      for (const answer of proxy.open("POST")) answer.socket.destroy()
      yield* eventually(() => (resumed.length > 0 ? true : undefined))
      yield* Effect.promise(() => call("release"))
      expect(yield* Effect.promise(() => second.answer)).toBe("released")

      const session = { ...headers, ...accept, "mcp-session-id": transport.sessionId ?? "" }
      yield* Effect.promise(() => transport.terminateSession())
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
      const after = yield* Effect.promise(() => proxy.fetch(url, { method: "POST", headers: session, body }))
      expect(after.status).toBe(404)
    })

    test.scopedLive(
      "[G26:real] keeps a call and the client's own stream that are silent for longer than the proxy allows",
      function*() {
        const { proxy, url } = yield* behind(kind, { recipe: impatient[kind]() })
        const { call, resumed } = yield* connected(proxy, url)
        const answer = call("hold")
        yield* eventually(() => (proxy.open("POST").length > 0 ? true : undefined))
        const streams = [...proxy.open("GET"), ...proxy.open("POST")]
        yield* Effect.sleep(silence)
        expect(streams.length).toBeGreaterThan(1)
        expect(streams.map(({ destroyed }) => destroyed)).not.toContain(true)
        yield* Effect.promise(() => call("release"))
        expect(yield* Effect.promise(() => answer)).toBe("released")
        expect(resumed).toEqual([])
      },
      400_000
    )

    test.scopedLive("[G26:real G10] a client keeps its session when the gateway is killed behind the proxy", function*() {
      const { program, proxy, start, url } = yield* behind(kind)
      const { call, transport } = yield* connected(proxy, url)
      const id = transport.sessionId
      expect(yield* Effect.promise(() => call("length", { text: "abc" }))).toBe("3")
      program.signal("SIGKILL")
      yield* program.ended
      yield* start
      expect(yield* Effect.promise(() => call("length", { text: "abcd" }))).toBe("4")
      expect(transport.sessionId).toBe(id)
    })

    test.scopedLive("[G26:real] nobody gets in by the proxy without the token, nor pages of elsewhere; probes do", function*() {
      const { proxy } = yield* behind(kind)
      const ask = (path: string, more: Record<string, string> = {}, method = "GET") =>
        Effect.promise(async () => {
          const response = await proxy.fetch(`${proxy.url}${path}`, { method, headers: more })
          return { status: response.status, text: await response.text() }
        })
      expect(yield* ask("/api/status", { "x-forwarded-for": "127.0.0.1" })).toMatchObject({ status: 401 })
      expect(yield* ask("/api/status", { authorization: "Bearer another" })).toMatchObject({ status: 401 })
      expect(yield* ask("/metrics")).toMatchObject({ status: 401 })
      expect(yield* ask("/health")).toEqual({ status: 200, text: `{"status":"ok"}` })
      const shown = { status: 200, text: expect.stringContaining(`"url":"${proxy.url}/mcp"`) }
      expect(yield* ask("/api/status", headers)).toMatchObject(shown)
      const page = (origin: string) => ask("/api/servers/gate/reconnect", { ...headers, origin }, "POST")
      expect(yield* page(proxy.url)).toMatchObject({ status: 200 })
      expect(yield* page("https://evil.example")).toMatchObject({ status: 403 })
    })

    test.scopedLive("[G26:real] without --public-url, the answer through the proxy names that option", function*() {
      const { port } = yield* ReservedPort.make
      const proxy = yield* Proxy.start(kind, Proxy.whole[kind](), `127.0.0.1:${port}`, yield* Proxy.port)
      const program = yield* Program.startHere(["serve", "--port", String(port)])
      yield* program.prints(/^Serving/m)
      const answer = yield* Effect.promise(() => proxy.fetch(`${proxy.url}/api/status`))
      const refused = [403, expect.stringContaining("behind a proxy, start it with --public-url")]
      expect([answer.status, yield* Effect.promise(() => answer.text())]).toEqual(refused)
    })

    test.scopedLive("[G26:real] the recipe says who the client is, and passes nothing on that the client says of that", function*() {
      const seen: Array<IncomingHttpHeaders> = []
      const upstream = yield* listening(createServer(({ headers }, response) => {
        seen.push(headers)
        response.end()
      }))
      const proxy = yield* Proxy.start(kind, Proxy.whole[kind](), new URL(upstream).host, yield* Proxy.port)
      const lies = { forwarded: "for=9.9.9.9", "x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "gopher" }
      yield* Effect.promise(() => proxy.fetch(`${proxy.url}/mcp`, { headers: { ...lies, ...headers } }))
      expect(seen).toEqual([expect.objectContaining({
        authorization: headers.authorization,
        host: expect.stringMatching(/^mcp\.example\.com(:\d+)?$/),
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https"
      })])
      expect(seen[0]?.forwarded ?? "").toBe("")
    })
  })
})

describe.each(Object.entries(below))("the gateway below a path of %s", (_, [kind, recipe]) => {
  describe.skipIf(!Proxy.isInstalled(kind))(Proxy.title(kind), () => {
    test.scopedLive("[G26:real] serves clients, the page, its files and its stream of events", function*() {
      const { proxy, url } = yield* behind(kind, { path: "/tools", recipe: recipe() })
      expect(url).toBe(`${proxy.url}/tools/mcp`)
      const { call } = yield* connected(proxy, url)
      const first = yield* held(call)
      yield* Effect.promise(() => call("release"))
      expect(yield* Effect.promise(() => first.answer)).toBe("released")
      const ask = (path: string) => Effect.promise(() => proxy.fetch(`${proxy.url}${path}`, { headers }))
      const moved = yield* ask("/tools")
      expect(new URL(moved.headers.get("location") ?? "", proxy.url).pathname).toBe("/tools/")
      expect(Math.floor(moved.status / 100)).toBe(3)
      const page = yield* Effect.promise(async () => (await proxy.fetch(`${proxy.url}/tools/`)).text())
      expect(page).toContain("Lifeline")
      for (const file of ["page/main.mjs", "page/style.css"]) expect((yield* ask(`/tools/${file}`)).status).toBe(200)
      const events = yield* ask("/tools/api/events")
      const reader = events.body!.getReader()
      const { value } = yield* Effect.promise(() => reader.read())
      expect(new TextDecoder().decode(value)).toContain("event: ")
      yield* Effect.promise(() => reader.cancel())
    })

    test.scopedLive("[G26:real G21] clients find out where to sign in, by the answer to their request and without it", function*() {
      const issuer = yield* Issuer.make
      const auth = { issuer: issuer.url }
      const { proxy, url } = yield* behind(kind, { auth, path: "/tools", recipe: wellKnown[kind](recipe()) })
      const root = `${proxy.url}/.well-known/oauth-protected-resource/tools/mcp`
      const asked: Array<string> = []
      const ask = (input: string | URL, init?: RequestInit) => {
        asked.push(String(input))
        return proxy.fetch(input, init)
      }
      // What the official client does if it is told nothing.
      const found = yield* Effect.promise(() => discoverOAuthProtectedResourceMetadata(url, undefined, ask))
      expect(found).toMatchObject({ resource: url, authorization_servers: [issuer.url] })
      expect(asked).toEqual([root])
      const refused = yield* Effect.promise(() => proxy.fetch(url, { method: "POST" }))
      expect(refused.status).toBe(401)
      const [, named = ""] = /resource_metadata="([^"]+)"/.exec(refused.headers.get("www-authenticate") ?? "") ?? []
      const document = yield* Effect.promise(async () => (await proxy.fetch(named)).json())
      expect(document).toEqual(found)
      // For whom the document says that tokens are, they are.
      const authorization = `Bearer ${yield* Effect.promise(() => issuer.sign(url))}`
      const statusOf = (path: string) =>
        Effect.promise(async () => (await proxy.fetch(path, { headers: { authorization } })).status)
      expect(yield* statusOf(`${proxy.url}/tools/api/status`)).toBe(200)
      // Nothing else of the gateway is there.
      for (const path of [`${root}/api/status`, root.replace("/mcp", "/api/status")]) {
        expect([path, yield* statusOf(path)]).toEqual([path, 404])
      }
    })
  })
})

describe.skipIf(!Proxy.isInstalled("nginx") || Chromium.executable === undefined)(
  Chromium.title(Proxy.title("nginx")),
  () => {
    test.scopedLive("[G26:real] the status page works below a path: it asks for the token, is live, and its buttons do what they say", function*() {
      const [kind, recipe] = below["nginx, which takes the path off"]!
      const { proxy } = yield* behind(kind, { path: "/tools", recipe: recipe() })
      const rules = `--host-resolver-rules=MAP ${Proxy.name} 127.0.0.1`
      const browser = yield* Effect.acquireRelease(
        Effect.promise(() => Chromium.launch([rules, "--ignore-certificate-errors"])),
        (browser) => Effect.promise(() => browser.close())
      )
      const { page } = yield* Chromium.open(browser, `${proxy.url}/tools/`)
      yield* Effect.promise(async () => {
        await page.getByLabel("Token").fill(token)
        await page.keyboard.press("Enter")
      })
      const gate = serverOf(page, "gate")
      yield* shows(gate.state, "Connected")
      yield* Effect.promise(() => page.getByRole("button", { name: "gate", exact: true }).click())
      yield* shows(gate.generation, /^1$/)
      yield* Effect.promise(() => gate.row.getByRole("button", { name: "Reconnect gate" }).click())
      yield* shows(gate.generation, /^2$/)
    })
  }
)
