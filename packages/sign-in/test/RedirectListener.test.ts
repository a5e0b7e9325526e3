import { Effect, Fiber, Option, TestContext } from "effect"
import { createServer, Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { connect } from "node:net"
import { describe, expect, it, test, vi } from "../../testing/test/support/vitest.js"
import * as RedirectListener from "../src/RedirectListener.js"

const place: RedirectListener.Place = { host: "localhost", port: 0, path: "/callback" }

const make = (options: Partial<RedirectListener.Place> = {}) =>
  Effect.gen(function*() {
    const listener = yield* Effect.flatMap(RedirectListener.make({ ...place, ...options }), Effect.fromNullable)
    return { listener, port: Number(new URL(listener.redirect).port) }
  })

/** A socket of a browser, which has sent this. */
const opened = (port: number, bytes = "", host = "127.0.0.1") =>
  Effect.async<Socket | undefined>((resume) => {
    const socket = connect({ port, host }, () => {
      socket.write(bytes)
      resume(Effect.succeed(socket))
    })
    socket.on("error", () => resume(Effect.succeed(undefined)))
  })

const closed = (socket: Socket) =>
  Effect.async<void>((resume) => {
    if (socket.destroyed) resume(Effect.void)
    else socket.once("close", () => resume(Effect.void))
  })

const send = (port: number, bytes: string) =>
  Effect.gen(function*() {
    const socket = yield* opened(port, bytes)
    let text = ""
    socket?.on("data", (chunk) => text += String(chunk))
    if (socket !== undefined) yield* closed(socket)
    return text
  })

const get = (port: number, target: string, host = `localhost:${port}`, method = "GET") =>
  Effect.map(
    send(port, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    (text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)
  )

interface Listening {
  readonly server: Server
  readonly options: { readonly host: string; readonly exclusive?: boolean }
}

/** What listens; with `fails` it may not, and has the code of an error. */
const watchListening = (fails: (options: Listening["options"]) => string | undefined = () => undefined) =>
  Effect.gen(function*() {
    const listening: Array<Listening> = []
    const listen = Server.prototype.listen
    yield* Effect.addFinalizer(() => Effect.sync(() => (Server.prototype.listen = listen)))
    Server.prototype.listen = function(this: Server, ...args: ReadonlyArray<never>) {
      const options: Listening["options"] = args[0]!
      listening.push({ server: this, options })
      const code = fails(options)
      if (code === undefined) return Reflect.apply(listen, this, args) as Server
      this.emit("error", Object.assign(new Error("no such address"), { code }))
      return this
    } as typeof listen
    return listening
  })

describe("the listener to which the browser returns", () => {
  test.scopedLive("[X1] no request line, and nothing that is none, ends the program; the login goes on", function*() {
    const { listener, port } = yield* make()
    const arrival = yield* Effect.fork(listener.arrival("right"))
    for (const target of ["//[", "http://[", "//a:b:c", "http://a:99999999/", "//%", "/%00%ff?state=%"]) {
      expect([400, 404], target).toContain(yield* get(port, target))
    }
    for (const target of ["*", "a:b", "/callback#[", "/callback?state=%E0%A4%A"]) yield* get(port, target)
    for (const bytes of ["\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n\r\n`]) {
      expect(yield* send(port, bytes)).toBe("")
    }
    for (const method of ["CONNECT", "OPTIONS", "PRI"]) yield* get(port, "/callback?state=right", undefined, method)
    expect(yield* get(port, "/", "[")).toBe(421)
    expect(Option.isNone(yield* Fiber.poll(arrival))).toBe(true)
    const last = yield* Effect.fork(get(port, "/callback?state=right&code=1"))
    yield* (yield* Fiber.join(arrival)).reply("", true)
    expect(yield* Fiber.join(last)).toBe(200)
  })

  test.scopedLive("[X1] an error of a listener that is up, and of a handler, ends nothing", function*() {
    const listening = yield* watchListening()
    const { port } = yield* make()
    const made = listening.map(({ server }) => server)
    expect(made.length).toBeGreaterThan(0)
    for (const server of made) server.emit("error", Object.assign(new Error("no file"), { code: "EMFILE" }))
    for (const server of made) {
      const breaks = () => {
        throw new Error("broken")
      }
      const response = { writeHead: breaks, destroy: vi.fn() }
      server.emit("request", Object.defineProperty({ headers: {} }, "url", { get: breaks }), response)
      expect(response.destroy).toHaveBeenCalled()
    }
    expect(yield* get(port, "/")).toBe(404)
  })

  test.scopedLive("[A4] only its own names are answered, only GET of its path, and only with the state of the login", function*() {
    const { listener, port } = yield* make()
    const answers = Effect.all({
      evil: get(port, "/callback?state=right", `evil.example:${port}`),
      noPort: get(port, "/callback?state=right", "localhost"),
      otherPort: get(port, "/callback?state=right", `localhost:${port + 1}`),
      path: get(port, "/callback/?state=right"),
      method: get(port, "/callback?state=right", undefined, "POST"),
      state: get(port, "/callback?state=wrong"),
      noState: get(port, "/callback")
    })
    // Before the login is waited for as well.
    for (const round of [1, 2]) {
      expect([round, yield* answers]).toEqual([
        round,
        { evil: 421, noPort: 421, otherPort: 421, path: 404, method: 404, state: 400, noState: 400 }
      ])
      if (round === 1) yield* Effect.fork(listener.arrival("right"))
      yield* Effect.yieldNow()
    }
  })

  test.scopedLive("[A4] localhost is answered at both of its addresses, by each of its names", function*() {
    const { listener, port } = yield* make()
    expect(listener.redirect).toBe(`http://localhost:${port}/callback`)
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect(yield* get(port, "/", host)).toBe(404)
    }
    const other = yield* make({ host: "127.0.0.1" })
    expect(yield* get(other.port, "/", `localhost:${other.port}`)).toBe(421)
  })

  test.scopedLive("[A4] a second answer is refused, and the first is shown how it ended", function*() {
    const { listener, port } = yield* make()
    const arrival = yield* Effect.fork(listener.arrival("right"))
    yield* Effect.yieldNow()
    const first = yield* Effect.fork(
      send(port, `GET /callback?state=right&code=1 HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`)
    )
    const { parameters, reply } = yield* Fiber.join(arrival)
    expect(parameters.get("code")).toBe("1")
    expect(yield* get(port, "/callback?state=right&code=2")).toBe(400)
    yield* reply("not <b>now</b>", false)
    const page = yield* Fiber.join(first)
    expect(page).toMatch(/^HTTP\/1\.1 400 /)
    expect(page).toContain("Not signed in")
    expect(page).toContain("not &#60;b&#62;now&#60;/b&#62;")
    expect(page).toMatch(/content-security-policy: default-src 'none'/i)
    expect(page).toMatch(/cache-control: no-store/i)
    expect(page).toMatch(/referrer-policy: no-referrer/i)
  })

  test.scopedLive("[A4] a browser that has gone away holds nobody up", function*() {
    const { listener, port } = yield* make()
    const arrival = yield* Effect.fork(listener.arrival("right"))
    yield* Effect.yieldNow()
    const request = `GET /callback?state=right HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`
    const socket = yield* opened(port, request)
    const { reply } = yield* Fiber.join(arrival)
    socket?.destroy()
    // By now it has heard of that. The clock stands still: nothing is waited for.
    for (let times = 0; times < 5; times++) yield* get(port, "/")
    yield* Effect.provide(reply("done", true), TestContext.TestContext)
  })

  test.scopedLive("[A4] workers of a cluster do not share its port: the browser returns to the one that waits", function*() {
    const listening = yield* watchListening()
    yield* make()
    expect(listening.length).toBeGreaterThan(0)
    for (const { options } of listening) expect(options).toMatchObject({ exclusive: true })
  })

  it("[A4] browsers leave port 80 out of the names", () => {
    const isOwn = (header: string, port: number) => RedirectListener.isOwn({ host: "localhost", port }, header)
    expect([isOwn("localhost", 80), isOwn("localhost:80", 80), isOwn("localhost", 8080), isOwn("evil.example", 80)])
      .toEqual([true, true, false, false])
  })

  test.scopedLive("[X5] it holds few connections, whoever opens them", function*() {
    const { port } = yield* make()
    const sockets = yield* Effect.all(Array.from({ length: 60 }, () => opened(port)), { concurrency: "unbounded" })
    // The listener drops those that are too many; nobody else closes one.
    for (const socket of sockets.slice(32)) yield* closed(socket!)
    sockets[0]?.destroy()
  })

  test.scopedLive("[A1] a machine without IPv6 has it at its other address; any other address that is missing is none", function*() {
    let failing: { readonly host: string; readonly code: string } | undefined
    const listening = yield* watchListening(({ host }) => failing?.host === host ? failing.code : undefined)
    const made = (host: string, options: Partial<RedirectListener.Place> = {}, code = "EADDRNOTAVAIL") =>
      Effect.suspend(() => {
        failing = { host, code }
        return Effect.scoped(RedirectListener.make({ ...place, ...options }))
      })
    for (const code of ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"]) {
      expect((yield* made("::1", {}, code))?.redirect).toMatch(/^http:\/\/localhost:\d+\/callback$/)
    }
    expect(yield* made("::1", {}, "EACCES")).toBeUndefined()
    expect(yield* made("127.0.0.1")).toBeUndefined()
    // Where a browser is led to one address, it has to be there.
    expect([yield* made("::1", { host: "[::1]" }), listening.at(-1)?.options.host]).toEqual([undefined, "::1"])
    expect(yield* made("127.0.0.1", { host: "127.0.0.1" })).toBeUndefined()
    expect((yield* made("nowhere", { host: "127.0.0.1" }))?.redirect).toContain("http://127.0.0.1:")
  })

  test.scopedLive("[A1] a port that is taken at either address is none, and nothing of it stays open", function*() {
    for (const [host, other] of [["127.0.0.1", "::1"], ["::1", "127.0.0.1"]] as const) {
      const taken = yield* Effect.acquireRelease(
        Effect.async<Server | undefined>((resume) => {
          const server = createServer().listen(0, host, () => resume(Effect.succeed(server)))
          server.once("error", () => resume(Effect.succeed(undefined)))
        }),
        (server) => Effect.sync(() => server?.close())
      )
      // A machine without IPv6.
      if (taken === undefined) continue
      const { port } = taken.address() as AddressInfo
      expect(yield* RedirectListener.make({ ...place, port })).toBeUndefined()
      expect([host, yield* opened(port, "", other)]).toEqual([host, undefined])
    }
  })

  test.live("[A1] ends with its scope, with connections that are open", function*() {
    const { port, socket } = yield* Effect.scoped(Effect.gen(function*() {
      const { port } = yield* make()
      return { port, socket: yield* opened(port) }
    }))
    yield* closed(socket!)
    expect(yield* get(port, "/")).toBe(0)
  })
})
