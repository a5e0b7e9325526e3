import { Effect, Exit, Fiber, Redacted, Scope } from "effect"
import { readFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import * as Https from "node:https"
import { type BlockList, connect, Server, type Socket } from "node:net"
import { networkInterfaces } from "node:os"
import * as Tls from "node:tls"
import { vi } from "vitest"
import { eventually } from "../../testing/test/support/Processes.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Authentication from "../src/Authentication.js"
import * as Caller from "../src/Caller.js"
import * as Listener from "../src/Listener.js"
import * as TrustedProxies from "../src/TrustedProxies.js"
import { raw, statusOf } from "./support/raw.js"

const authentication = Authentication.byToken(() => [{ caller: Caller.anyone, tokens: [Redacted.make("t")] }])

const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.family === "IPv6")

const listen = (options: Partial<Listener.Options> = {}) =>
  Effect.gen(function*() {
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, ...options })
    yield* listener.serve((_, response, path) => response.writeHead(200, { "Content-Type": "text/plain" }).end(path))
    return listener.port
  })

const protection = ["X-Content-Type-Options: nosniff", "Cross-Origin-Resource-Policy: same-origin"]

describe("whom the listener lets in", () => {
  test.scopedLive("[G21:real] what a client reads ends with its credentials, but for its sessions; a call that has begun goes on", function*() {
    // From each request on, however late it comes. Those before the last one have expired when that ends.
    let expiresAt = 0
    const listener = yield* Listener.listen({
      host: "127.0.0.1",
      port: 0,
      authentication: {
        isNeeded: true,
        check: () => ({ subject: "ann", claims: {}, expiresAt: expiresAt = Date.now() + 500 })
      }
    })
    const open = new Map<string, ServerResponse>()
    yield* listener.serve(({ method = "" }, response) => {
      open.set(method, response)
      response.write("begun ")
    })
    const ask = (method: string, path = "/") =>
      Effect.promise(async () => (await fetch(new URL(path, listener.url), { method })).text())
    const called = yield* Effect.fork(ask("POST"))
    yield* eventually(() => open.get("POST"))
    const session = yield* Effect.fork(ask("GET", "/mcp"))
    const ofSession = yield* eventually(() => open.get("GET"))
    open.delete("GET")
    expect(yield* ask("GET")).toBe("begun ")
    expect([open.get("GET")?.writableEnded, open.get("POST")?.writableEnded]).toEqual([true, false])
    open.get("POST")?.end("answered")
    expect(yield* Fiber.join(called)).toBe("begun answered")
    expect(ofSession.writableEnded).toBe(false)
    ofSession.end("heard")
    expect(yield* Fiber.join(session)).toBe("begun heard")
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
  })

  test.scopedLive("[G6] each answer, also a refusal, tells browsers that it is for this origin and of this type only", function*() {
    const port = yield* listen({ authentication, isPublic: (path) => path === "/" })
    const heads = [
      "GET / HTTP/1.1\r\nHost: localhost",
      "GET /x HTTP/1.1\r\nHost: localhost",
      "GET / HTTP/1.1\r\nHost: evil.example"
    ]
    const answers = yield* Effect.forEach(heads, (head) => raw(port, head))
    expect(answers.map(statusOf)).toEqual([200, 401, 403])
    for (const answer of answers) for (const header of protection) expect(answer).toContain(header)
  })

  test.scopedLive("[G6] more than one Host is refused, in whatever order and case", function*() {
    const port = yield* listen()
    for (
      const hosts of [
        "Host: localhost\r\nHost: evil.example",
        "Host: evil.example\r\nHost: localhost",
        "Host: localhost\r\nhOST: localhost"
      ]
    ) {
      expect(statusOf(yield* raw(port, `GET / HTTP/1.1\r\n${hosts}`))).toBe(400)
    }
  })

  test.scopedLive("[G6] pages of elsewhere may link to the page, and have nothing else", function*() {
    const port = yield* listen({ isPublic: (path) => path === "/" })
    for (const site of ["cross-site", "same-site"]) {
      const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: ${site}`
      expect(statusOf(yield* raw(port, head("/?from=elsewhere")))).toBe(200)
      for (const path of ["/mcp", "/api/events", "/health", "/metrics", "/anything"]) {
        expect(statusOf(yield* raw(port, head(path)))).toBe(403)
      }
    }
  })

  test.scopedLive("[G6] who is refused is told how to be let in, and reaches nothing; no page needs no token unless it is named", function*() {
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, authentication })
    const reached: Array<string> = []
    yield* listener.serve((_, response, path) => {
      reached.push(path)
      response.end()
    })
    const ask = (headers: string) => raw(listener.port, `GET /?a#b HTTP/1.1\r\n${headers}`)
    const [stranger, foreign] = [yield* ask("Host: localhost"), yield* ask("Host: evil.example")]
    expect([stranger, foreign].map(statusOf)).toEqual([401, 403])
    expect(stranger).toContain("WWW-Authenticate: Bearer\r\n")
    expect(foreign).not.toContain("WWW-Authenticate")
    // What it sent is not read: nothing more is taken on this connection.
    for (const answer of [stranger, foreign]) expect(answer).toContain("Connection: close\r\n")
    expect(reached).toEqual([])
    expect(statusOf(yield* ask("Host: localhost\r\nAuthorization: Bearer t"))).toBe(200)
    expect(reached).toEqual(["/"])
    expect(listener.isAuthenticated).toBe(true)
  })

  test.scopedLive.each<[string, Partial<Listener.Options>, string]>([
    ["pages", { isPublic: () => true }, ""],
    ["what needs a token", {}, ""],
    ["what is below a public URL", {
      isPublic: (path) => path.startsWith("/login/"),
      publicUrl: { href: "http://localhost/base", origin: "http://localhost", hostname: "localhost", path: "/base" }
    }, "/base"]
  ])(
    "[X6] a target out of which programs may read different paths reaches no handler: of %s",
    function*([, options, base]) {
      const port = yield* listen({ authentication, ...options })
      const odd = ["", "/login", "/mcp", "/assets", "/health"].flatMap((page) =>
        [
          "..",
          "%2e%2e",
          "%2E.",
          ".%2e",
          ".",
          "%2e",
          "..%2f..",
          "..%5c..",
          "x%2fy",
          "x%5Cy",
          "x\\y",
          "x%00",
          "x%0a",
          "x%7f",
          "%zz",
          "x%"
        ]
          .flatMap((
            step
          ) => [`${base}${page}/${step}/api/status`, `${base}${page}/${step}`, `${base}${page}/${step}?a=b`])
      )
      const forms = [
        "http://localhost/login/x",
        "HTTP://localhost/mcp",
        "//localhost/login/x",
        "*",
        "login/x",
        "?a",
        "\\login",
        `${base}//x`
      ]
      for (
        const target of [...odd, ...forms, "/api/servers/a/b%2fc", "/api/servers/..%2fx", "/cluster/servers/a%5c.."]
      ) {
        const answer = yield* raw(port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t`)
        expect([target, statusOf(answer)]).toEqual([target, 400])
      }
      for (
        const target of [
          "/login/x?to=/../y",
          "/api/servers/a%2Fb",
          "/api/servers/a%2fb/log",
          "/api/servers/a%5Cb",
          "/cluster/servers/a%2Fb",
          "/x..y/.z",
          "/a%20b"
        ]
      ) {
        const answer = yield* raw(port, `GET ${base}${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t`)
        expect([target, statusOf(answer)]).toEqual([target, 200])
      }
    }
  )
})

describe("who is let in after a while", () => {
  test.scopedLive("[G6 G22] reaches no handler where the client has gone meanwhile", function*() {
    const waiting: Array<{ readonly letIn: () => void; readonly gone: Promise<void> }> = []
    const listener = yield* Listener.listen({
      host: "127.0.0.1",
      port: 0,
      authentication: {
        isNeeded: true,
        check: ({ socket }) =>
          new Promise((resolve) =>
            waiting.push({
              letIn: () => resolve({ subject: "ann", claims: {} }),
              gone: new Promise((done) => socket.once("close", () => done()))
            })
          )
      }
    })
    const reached: Array<string> = []
    yield* listener.serve((_, response, path) => {
      reached.push(path)
      response.end("here")
    })
    const [gone, stays] = [yield* dial(listener.port), yield* dial(listener.port)]
    gone.socket.write(get("/gone"))
    yield* Effect.promise(() => expect.poll(() => waiting.length).toBe(1))
    stays.socket.write(get("/stays"))
    yield* Effect.promise(() => expect.poll(() => waiting.length).toBe(2))
    gone.socket.destroy()
    yield* Effect.promise(() => waiting[0]!.gone)
    for (const { letIn } of waiting) letIn()
    yield* Effect.promise(() => expect.poll(stays.text).toContain("here"))
    expect(reached).toEqual(["/stays"])
  })

  test.scopedLive("[G22] the streams of those who are not let in any more end; what is for everybody does not", function*() {
    let isAccepted = true
    const listener = yield* Listener.listen({
      host: "127.0.0.1",
      port: 0,
      isPublic: (path) => path === "/page",
      authentication: {
        isNeeded: true,
        check: () => isAccepted ? { subject: "ann", claims: {} } : Authentication.unauthorized("no")
      }
    })
    yield* listener.serve((_, response) => void response.writeHead(200).write("open"))
    const [own, page] = [yield* stream(listener.port), yield* stream(listener.port, "/page")]
    isAccepted = false
    listener.recheck()
    // The end of a stream.
    yield* Effect.promise(() => expect.poll(own.text).toMatch(/\r\n0\r\n\r\n$/))
    expect(page.text()).not.toMatch(/\r\n0\r\n\r\n$/)
  })
})

describe("where the listener listens", () => {
  test.scopedLive.each<[string, string]>([
    ["127.0.0.1", "http://127.0.0.1"],
    ["localhost", "http://localhost"],
    ["0.0.0.0", "http://0.0.0.0"],
    ...(hasIPv6 ? [["::1", "http://[::1]"], ["[::1]", "http://[::1]"]] as Array<[string, string]> : [])
  ])("[G1] at %s it says so in a URL", function*([host, url]) {
    const listener = yield* Listener.listen({ host, port: 0 })
    yield* listener.serve((_, response) => void response.end("here"))
    expect(listener).toMatchObject({ host, url: `${url}:${listener.port}`, isAuthenticated: false })
    const address = listener.url.replace("0.0.0.0", "127.0.0.1")
    expect(yield* Effect.promise(async () => (await fetch(address)).text())).toBe("here")
  })

  test.scopedLive.each<[string, string, ReadonlyArray<"host" | "port">]>([
    ["EADDRINUSE", "port 7 on some.host is in use; ", ["port"]],
    ["EACCES", "port 7 on some.host needs privileges; ", ["port"]],
    ["EADDRNOTAVAIL", "some.host is not an address of this machine; ", ["host"]],
    ["ENOTFOUND", "some.host is not an address of this machine; ", ["host"]],
    ["EAI_AGAIN", "some.host is not an address of this machine; ", ["host"]],
    ["EOTHER", "cannot listen on some.host:7: the reason; ", ["host", "port"]]
  ])("[G1] where it cannot, the reason is told, with the option to change: %s", function*([code, problem, options]) {
    const cause = Object.assign(new Error("the reason"), { code })
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        vi.spyOn(Server.prototype, "listen").mockImplementation(function(this: Server) {
          queueMicrotask(() => this.emit("error", cause))
          return this
        })
      ),
      (spy) => Effect.sync(() => spy.mockRestore())
    )
    const failed = (optionNames?: Listener.OptionNames) =>
      Effect.flip(Effect.scoped(Listener.listen({ host: "some.host", port: 7, optionNames })))
    const flags = { host: "--host", port: "--port" }
    const [own, named] = [yield* failed(), yield* failed(flags)]
    for (const failure of [own, named]) {
      expect(failure.message.slice(0, problem.length)).toBe(problem)
      expect(failure.cause).toBe(cause)
    }
    for (const option of options) {
      expect(own.message).toContain(`the option ${option}`)
      expect(named.message).toContain(flags[option])
    }
    expect(own.message).not.toContain("--")
  })

  test.scopedLive("[G1] it is there before it serves, and stays after that, with 503 and no connection that is kept; then it is gone", function*() {
    const listening = yield* Scope.make()
    const { port, serve } = yield* Scope.extend(Listener.listen({ host: "127.0.0.1", port: 0 }), listening)
    const status = Effect.map(raw(port, "GET /health HTTP/1.1\r\nHost: localhost"), statusOf)
    const ping = `{"jsonrpc":"2.0","id":"one","method":"ping"}`
    const post = raw(port, `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${ping.length}`, ping)
    expect(yield* status).toBe(503)
    expect(yield* post).toMatch(/^HTTP\/1\.1 503 .*"id":"one"/s)
    const serving = yield* Scope.make()
    yield* Scope.extend(serve((_, response) => void response.end()), serving)
    expect(yield* status).toBe(200)
    const kept = yield* dial(port)
    yield* Effect.promise(async () => {
      kept.socket.write(get("/"))
      await expect.poll(kept.text).toContain("200 OK")
    })
    yield* Scope.close(serving, Exit.void)
    // A request may be on its way, so the connection ends only with the answer to it.
    kept.socket.write(get("/"))
    yield* Effect.promise(() => kept.closed)
    expect(kept.text()).toMatch(/200 OK.*503 Service Unavailable/s)
    expect(yield* status).toBe(503)
    expect(yield* post).toMatch(/^HTTP\/1\.1 503 .*"id":"one"/s)
    // A connection on which a request comes that never ends.
    const open = yield* dial(port)
    open.socket.write("POST /mcp HTTP/1.1\r\n")
    yield* status
    yield* Scope.close(listening, Exit.void)
    yield* Effect.promise(() => open.closed)
    expect(yield* Effect.either(Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}/`)))).toMatchObject({
      _tag: "Left"
    })
  })
})

describe("a listener that gives notice", () => {
  test.scopedLive("[D4] serves on, ends each connection with its answer, and says that it stops where probes ask", function*() {
    const probes = () => ({ "/ready": { status: 503, body: {}, details: {} } })
    const { port, serve } = yield* Listener.listen({ host: "127.0.0.1", port: 0, probes })
    const serving = yield* Scope.make()
    const noticed = yield* Effect.makeLatch()
    yield* Effect.addFinalizer(() => noticed.open)
    yield* Scope.extend(serve((_, response) => void response.end("served"), noticed.await), serving)
    const kept = yield* dial(port)
    kept.socket.write(get("/"))
    yield* Effect.promise(() => expect.poll(kept.text).toContain("served"))
    yield* Effect.forkDaemon(Scope.close(serving, Exit.void))
    yield* Effect.promise(() =>
      expect.poll(() => Effect.runPromise(raw(port, "GET /ready HTTP/1.1\r\nHost: localhost"))).toMatch(/ 503 /)
    )
    kept.socket.write(get("/"))
    yield* Effect.promise(() => kept.closed)
    expect(kept.text()).toMatch(/served.*Connection: close.*served/s)
  })
})

describe("a handler that throws", () => {
  test.scopedLive("[X1] ends no program: the request is answered with 500, or cut off where its answer has begun", function*() {
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0 })
    yield* listener.serve((_, response, path) => {
      if (path === "/fine") return void response.end("fine")
      if (path === "/begun") response.writeHead(200, { "Content-Length": 1000 }).flushHeaders()
      throw new Error("a secret of ours")
    })
    const get = (path: string) => raw(listener.port, `GET ${path} HTTP/1.1\r\nHost: localhost`)
    const [early, begun] = [yield* get("/"), yield* get("/begun")]
    expect([statusOf(early), early.includes("its log has more"), early.includes("secret")]).toEqual([
      500,
      true,
      false
    ])
    expect(begun).not.toContain("500")
    expect(begun).not.toContain("secret")
    expect(yield* get("/fine")).toContain("fine")
  })
})

const open = (connect: () => Socket, event: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly socket: Socket; readonly closed: Promise<string>; readonly text: () => string }>(
      (resume) => {
        let text = ""
        const socket = connect()
        const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)))
        socket.setEncoding("utf8").on("data", (chunk) => (text += chunk)).on("error", () => undefined)
        socket.once(event, () => resume(Effect.succeed({ socket, closed, text: () => text })))
      }
    ),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const dial = (port: number) => open(() => connect(port, "127.0.0.1"), "connect")

const rpcIn = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

const stream = (port: number, path = "/stream") =>
  Effect.tap(dial(port), ({ socket, text }) =>
    Effect.promise(async () => {
      socket.write(get(path))
      await expect.poll(text).toContain("HTTP/1.1")
    }))

describe("connections", () => {
  const serve = (options: Partial<Listener.Options>) =>
    Effect.gen(function*() {
      const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, ...options })
      yield* listener.serve((_, response, path) => {
        response.writeHead(200, { "Content-Type": "text/plain" })
        if (path === "/stream" || path === "/mcp") response.write("open")
        else response.end("done")
      })
      return listener.port
    })

  test.scopedLive("[X5 G17] those that are silent make room for others, the longest unused first", function*() {
    const port = yield* serve({ maxConnections: 4 })
    const used = yield* dial(port)
    const silent = yield* Effect.forEach([1, 2, 3], () => dial(port))
    yield* Effect.promise(async () => {
      used.socket.write(get("/"))
      await expect.poll(used.text).toContain("done")
    })
    expect(statusOf(yield* raw(port, "GET / HTTP/1.1\r\nHost: localhost"))).toBe(200)
    expect(yield* Effect.promise(() => silent[0]!.closed)).toBe("")
    yield* Effect.promise(async () => {
      used.socket.write(get("/again"))
      await expect.poll(() => used.text().match(/done/g)?.length).toBe(2)
    })
    expect(silent.map(({ socket }) => socket.destroyed)).toEqual([true, false, false])
  })

  test.scopedLive("[X5 G17] those with a request under way stay; one more is told why it is refused, and one fewer lets it in", function*() {
    const port = yield* serve({ maxConnections: 3 })
    const streams = yield* Effect.forEach([1, 2, 3], () => stream(port))
    const refused = yield* dial(port)
    expect(yield* Effect.promise(() => refused.closed)).toMatch(
      /^HTTP\/1\.1 503 .*All connections of the gateway are in use/s
    )
    expect(streams.some(({ socket }) => socket.destroyed)).toBe(false)
    streams[1]!.socket.destroy()
    yield* Effect.promise(() =>
      expect.poll(() => Effect.runPromise(raw(port, "GET / HTTP/1.1\r\nHost: localhost")).then(statusOf)).toBe(200)
    )
  })

  test.scopedLive("[X5] the last ones are not for clients, but for the page and commands", function*() {
    const port = yield* serve({ maxConnections: 4 })
    yield* Effect.forEach([1, 2, 3], () => stream(port, "/mcp"))
    expect(yield* raw(port, "POST /mcp HTTP/1.1\r\nHost: localhost")).toMatch(
      /^HTTP\/1\.1 503 .*for its status page/s
    )
    expect(statusOf(yield* raw(port, "GET / HTTP/1.1\r\nHost: localhost"))).toBe(200)
  })

  const asking = (port: number, header: string) =>
    Effect.gen(function*() {
      const { socket, text } = yield* dial(port)
      socket.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`)
      yield* Effect.promise(() => expect.poll(text).toMatch(/open\s*$|later/))
      return { answer: text(), end: () => socket.destroy() }
    })
  const known: Authentication.Authentication = {
    isNeeded: true,
    check: ({ headers }) => ({ subject: Authentication.bearer(headers.authorization), claims: {} })
  }

  test.scopedLive.each<[who: string, options: Partial<Listener.Options>, header: (client: string) => string]>([
    ["caller", { authentication: known }, (client) => `Authorization: Bearer ${client}`],
    [
      "address",
      { trustedProxies: TrustedProxies.parse("127.0.0.1") as BlockList },
      (client) => `X-Forwarded-For: ${client === "greedy" ? "10.0.0.1" : "10.0.0.2"}`
    ]
  ])("[X5 G17] one %s cannot have all of them open, and is told so; others have room", function*([, options, header]) {
    const port = yield* serve({ maxConnections: 8, ...options })
    const greedy = asking(port, header("greedy"))
    const streams = yield* Effect.all([greedy, greedy, greedy])
    expect(streams.map(({ answer }) => statusOf(answer))).toEqual([200, 200, 200])
    const { answer } = yield* greedy
    expect(statusOf(answer)).toBe(503)
    expect(answer).toContain("Retry-After: 5")
    expect(answer).toContain(
      "This client has 3 open requests and streams, each with a connection, the maximum while all clients have 3: close some, or try again later"
    )
    expect(statusOf((yield* asking(port, header("modest"))).answer)).toBe(200)
    streams[0].end()
    streams[1].end()
    yield* Effect.promise(() =>
      expect.poll(() => Effect.runPromise(Effect.scoped(greedy)).then(({ answer }) => statusOf(answer))).toBe(200)
    )
  })

  test.scopedLive("[X5 G17] clients on this machine that nothing tells apart may have all of them, as one", function*() {
    const port = yield* serve({ maxConnections: 8 })
    const streams = yield* Effect.all(Array.from({ length: 7 }, () => asking(port, "X: y")))
    expect(streams.map(({ answer }) => statusOf(answer))).toEqual(Array(7).fill(200))
  })

  // A second: also on a busy machine the stream is asked for within it.
  test.scopedLive.each(
    [{ headers: 1000, request: 60_000, check: 10, of: 2 }, { headers: 1000, request: 1000, check: 10, of: 3 }]
  )(
    "[X5] those that do not send a request in time are closed; a stream may stay open (%j)",
    function*({ of, ...times }) {
      const port = yield* serve({ times })
      const open = yield* stream(port)
      const all = yield* Effect.forEach(
        ["", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n1"].slice(0, of),
        (text) => Effect.tap(dial(port), ({ socket }) => Effect.sync(() => socket.write(text)))
      )
      const answers = yield* Effect.promise(() => Promise.all(all.map(({ closed }) => closed)))
      expect(open.socket.destroyed).toBe(false)
      // The last one has its answer already.
      for (const answer of answers.slice(2)) expect(answer).not.toContain(" 408 ")
      for (const answer of answers.slice(0, 2)) {
        expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*\r\nRetry-After: 1\r\n/)
        expect(rpcIn(answer)).toMatchObject({ jsonrpc: "2.0", id: null, error: { data: { fate: "notSent" } } })
      }
    }
  )

  test.scopedLive.each([
    { what: "no HTTP", status: 400, text: "nonsense\r\n\r\n" },
    {
      what: "a length that is none",
      status: 400,
      text: "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"
    },
    { what: "a header without an end", status: 431, text: `GET / HTTP/1.1\r\nX: ${"x".repeat(40_000)}` }
  ])(
    "[G18:real] $what gets the status $status and an error of JSON-RPC, although no listener sees it",
    function*({ status, text }) {
      const { closed, socket } = yield* dial(yield* serve({}))
      socket.write(text)
      const answer = yield* Effect.promise(() => closed)
      expect(statusOf(answer)).toBe(status)
      expect(rpcIn(answer)).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: -32_600 } })
    }
  )

  test.scopedLive("[G18:real] an answer that has begun is not mixed with an error", function*() {
    const { socket, text } = yield* stream(yield* serve({}))
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
    socket.write("nonsense\r\n\r\n")
    yield* Effect.promise(() => closed)
    expect(text()).not.toContain("400 Bad Request")
  })
})

const pem = (name: string) =>
  readFileSync(new URL(`../../transport-http/test/fixtures/tls/${name}.pem`, import.meta.url), "utf8")

describe("a listener with a certificate", () => {
  const tls: Listener.Certificate = { certificate: pem("cert"), key: Redacted.make(pem("key")) }
  const ca = tls.certificate

  const getSecurely = (url: string): Effect.Effect<string, Error> =>
    Effect.async((resume) => {
      Https.get(url, { ca, agent: false }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
        response.on("end", () => resume(Effect.succeed(`${response.statusCode} ${text}`)))
      }).on("error", (error) => resume(Effect.fail(error)))
    })

  const dialSecurely = (port: number) => open(() => Tls.connect({ port, host: "127.0.0.1", ca }), "secureConnect")

  test.scopedLive("[G6] serves HTTPS, with the same rules, and nobody who speaks plainly", function*() {
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, tls, authentication })
    yield* listener.serve((_, response) => void response.end("here"))
    expect(listener.url).toBe(`https://127.0.0.1:${listener.port}`)
    expect(yield* getSecurely(listener.url)).toMatch(/^401 .*needs a token/)
    const plain = yield* dial(listener.port)
    plain.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n")
    expect(yield* Effect.promise(() => plain.closed)).not.toContain("here")
    const secured = yield* dialSecurely(listener.port)
    secured.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n")
    expect(yield* Effect.promise(() => secured.closed)).toMatch(/^HTTP\/1\.1 200 .*here/s)
  })

  test.scopedLive("[G1] that cannot be used does not listen, and says why, without the key", function*() {
    const failed = (tls: Listener.Certificate) =>
      Effect.flip(Effect.scoped(Listener.listen({ host: "127.0.0.1", port: 0, tls })))
    for (const wrong of [{ ...tls, certificate: "no certificate" }, { ...tls, key: Redacted.make("hush") }]) {
      const { message } = yield* failed(wrong)
      expect(message).toMatch(/^the certificate and its key cannot be used: ./)
      expect(message).not.toContain("hush")
    }
  })

  test.scopedLive("[X5 G17] has limits for its connections", function*() {
    const times = { headers: 600_000, request: 600_000, check: 10_000 }
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, tls, times, maxConnections: 2 })
    yield* listener.serve((_, response) => void response.writeHead(200).write("open"))
    for (const { socket, text } of yield* Effect.forEach([1, 2], () => dialSecurely(listener.port))) {
      socket.write(get("/"))
      yield* Effect.promise(() => expect.poll(text).toContain("open"))
    }
    const refused = yield* dialSecurely(listener.port)
    expect(yield* Effect.promise(() => refused.closed)).toMatch(/^HTTP\/1\.1 503 .*All connections/s)
    // Those that are in the handshake, and are not counted by it.
    const silent = yield* Effect.forEach([1, 2, 3], () => dial(listener.port))
    yield* Effect.promise(() => Promise.race(silent.map(({ closed }) => closed)))
  })

  test.scopedLive("[X5] closes who says nothing in the handshake: after a time, and at its end", function*() {
    const times = { headers: 1000, request: 60_000, check: 10 }
    const { port } = yield* Listener.listen({ host: "127.0.0.1", port: 0, tls, times })
    const silent = yield* dial(port)
    yield* Effect.promise(() => silent.closed)
    const listening = yield* Scope.make()
    const other = yield* Scope.extend(Listener.listen({ host: "127.0.0.1", port: 0, tls }), listening)
    const [open, secured] = [yield* dial(other.port), yield* dialSecurely(other.port)]
    yield* Scope.close(listening, Exit.void)
    yield* Effect.promise(() => Promise.all([open.closed, secured.closed]))
  })
})
