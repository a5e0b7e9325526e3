import { describe, expect, it } from "@effect/vitest"
import type { McpConfig } from "@mcp-lifeline/config"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Exit, Logger, Redacted, Scope } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { everything } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { gone } from "../../../testing/test/support/Processes.js"
import * as Events from "../../src/events/Events.js"
import { type ServerEvent, tell } from "../../src/events/tell.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"

/** What a listener was told, with the name of a header or variable that came with it. */
interface Heard {
  readonly body: Record<string, any>
  readonly beside: string | undefined
}

interface Listening {
  readonly onEvent: object
  readonly heard: () => ReadonlyArray<Heard>
}

const key = "listener-secret-0123456789"

/** An address that is told; it answers with `status`, and sends on to `location`. */
const address = (status = () => 204, location = () => "/") =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly http: ReturnType<typeof createServer>; readonly heard: Array<Heard> }>((resume) => {
        const heard: Array<Heard> = []
        const http = createServer((request, response) => {
          let text = ""
          request.setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => {
            heard.push({ body: JSON.parse(text), beside: request.headers["x-key"] as string })
            response.writeHead(status(), { location: location() }).end("thanks")
          })
        })
        http.listen(0, "127.0.0.1", () => resume(Effect.succeed({ http, heard })))
      }),
      ({ http }) => Effect.sync(() => http.close().closeAllConnections())
    ),
    ({ heard, http }) => ({ heard, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/told` })
  )

const listeners = {
  url: Effect.map(address(), ({ heard, url }): Listening => ({
    onEvent: {
      url,
      headers: { "X-Key": { command: [process.execPath, "-p", JSON.stringify(key)] } },
      timeout: "1 min"
    },
    heard: () => heard
  })),
  command: Effect.map(folder, (path): Listening => {
    const file = join(path, "heard")
    const script = `
      const text = require("fs").readFileSync(0, "utf8")
      const { MCP_LIFELINE_EVENT: event, MCP_LIFELINE_SERVER: server } = process.env
      require("fs").appendFileSync(${
      JSON.stringify(file)
    }, JSON.stringify({ body: JSON.parse(text), beside: event + " " + server }) + "\\n")`
    return {
      onEvent: { command: [process.execPath, "-e", script], timeout: "1 min" },
      heard: () =>
        existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : []
    }
  })
}

const until = (isSo: () => boolean) => Program.eventually(() => isSo() ? true : undefined)

describe("a server that waits for a person", () => {
  it.scopedLive("[A3:real] is in the state SignInNeeded with the address to open, everywhere; the others go on; then it connects", () =>
    Effect.gen(function*() {
      const auth = yield* AuthServer.make
      const { base, command } = yield* Gateway.serveHere(
        {
          docs: { url: auth.url },
          steady: { command: process.execPath, args: [everything, "stdio"] }
        },
        [],
        { CI: "1" }
      )
      const docs = yield* Gateway.untilStatus(base, ({ login }) => login?.url !== undefined, "docs")
      const steady = yield* Gateway.untilStatus(base, Gateway.isConnected, "steady")
      expect(docs.state).toBe("SignInNeeded")
      const { url } = docs.login
      const ready = yield* Gateway.ask(`${base}/ready`)
      expect(ready.body.servers.docs.state).toBe("SignInNeeded")
      const text = yield* command("status")
      expect(text.stdout).toMatch(/docs[ │]+SignInNeeded/)
      expect(text.stdout).toContain(url)
      const json = JSON.parse((yield* command("status", "--json")).stdout)
      expect(json.servers[0]).toMatchObject({ state: "SignInNeeded", login: { url } })
      const client = yield* TestClient.connect(`${base}/mcp`)
      const { contents: [content] } = yield* Effect.promise(() => client.readResource({ uri: "lifeline://status" }))
      expect(content).toMatchObject({ text: expect.stringMatching(/^- docs: sign-in needed.*; to do for the user: /m) })
      expect(content).toMatchObject({ text: expect.stringContaining(url) })
      yield* Signer.visit(url)
      const connected = yield* Gateway.untilStatus(base, ({ state }) => state === "Connected", "docs")
      expect(connected.login).toBeUndefined()
      const after = yield* Gateway.untilStatus(base, Gateway.isConnected, "steady")
      expect([after.generation, after.pid]).toEqual([steady.generation, steady.pid])
    }))

  it.scopedLive.each(["url", "command"] as const)(
    "[A3:real] onEvent tells once of a login and of a server that has failed for good, also across restarts: a %s",
    (kind) =>
      Effect.gen(function*() {
        const auth = yield* AuthServer.make
        const { heard, onEvent } = yield* listeners[kind]
        const path = yield* folder
        const file = join(path, "mcp.json")
        const env = { MCP_LIFELINE_STATE: join(path, "state"), CI: "1" }
        const servers = { docs: { url: auth.url }, absent: { command: "/no/such/program" } }
        const save = (more: object) =>
          writeFileSync(file, JSON.stringify({ mcpServers: { ...servers, ...more }, lifeline: { onEvent } }))
        const start = Effect.gen(function*() {
          const program = yield* Program.startHere(["serve", "--port", "0", "--config", file], env)
          const [, base = ""] = yield* program.prints(/Serving (http:[^\s"]+)\/mcp/)
          yield* Gateway.untilStatus(base, ({ state }) => state === "SignInNeeded", "docs")
          yield* Gateway.untilStatus(base, ({ state }) => state === "PermanentlyFailed", "absent")
          return { base, program }
        })
        save({})
        const first = yield* Scope.make()
        const { base } = yield* Scope.extend(start, first)
        yield* until(() => heard().length === 2)
        yield* Scope.close(first, Exit.void)
        const events = heard().map(({ body }) => body).toSorted((a, b) => a["server"] < b["server"] ? -1 : 1)
        const gateway = { page: `${base}/`, config: file }
        const at = expect.stringMatching(/^20\d\d-.*Z$/)
        expect(events).toEqual([
          {
            event: "PermanentlyFailed",
            server: "absent",
            at,
            message: expect.stringContaining("/no/such/program"),
            gateway
          },
          {
            event: "SignInNeeded",
            server: "docs",
            at,
            message: expect.stringMatching(/^a login is needed: open http/),
            address: expect.stringContaining(auth.origin),
            gateway
          }
        ])
        expect(heard()[0]?.beside).toBe(
          kind === "url" ? key : `${heard()[0]?.body["event"]} ${heard()[0]?.body["server"]}`
        )
        const { base: again, program } = yield* start
        save({ other: { command: "/another/program" } })
        yield* until(() => heard().length >= 3)
        expect(heard().slice(2).map(({ body }) => body["server"])).toEqual(["other"])
        expect(again).not.toBe("")
        expect(program.stdout() + program.stderr()).not.toMatch(/onEvent/)
      })
  )
})

/** The clock, by so many milliseconds in the future. */
const later = (millis: number): Clock.Clock =>
  Object.assign(Object.create(Clock.make()), { currentTimeMillis: Effect.sync(() => Date.now() + millis) })

describe("the events of a gateway", () => {
  const needed = {
    _tag: "LoginNeeded",
    address: "https://login.test/a",
    userCode: undefined,
    until: 0,
    stepUp: false
  } as const
  const signedIn = { _tag: "SignedIn", issuer: "i", scope: undefined, expiresAt: undefined, renewable: true } as const

  const make = (listener: McpConfig.Listener, state: string) =>
    Events.make({ listener: () => listener, cwd: state, gateway: { page: "http://127.0.0.1:1/", config: "/mcp.json" } })
      .pipe(Effect.provide(StateFolder.layerAt(state)))

  it.scopedLive("[A3:real] a login is told again when a day has passed or somebody had signed in, a failure when the server was connected", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const { heard, url } = yield* address()
      const listener = { _tag: "Url", url, headers: {}, timeout: "1 min" } as const
      const said = () => heard.map(({ body }) => `${body["server"]} ${body["event"]}`)
      /** All that came before has been looked at when this is told. */
      let count = 0
      const barrier = (events: Events.Events) =>
        Effect.gen(function*() {
          const server = `barrier${++count}`
          events.state(server, "PermanentlyFailed", () => "it is a barrier")
          yield* until(() => said().includes(`${server} PermanentlyFailed`))
          const found = said().filter((one) => !one.startsWith("barrier")).toSorted()
          heard.length = 0
          return found
        })
      const fail = (events: Events.Events) => events.state("a", "PermanentlyFailed", () => "gone")
      const events = yield* make(listener, path)
      for (let i = 0; i < 3; i++) {
        events.signIn("a", needed)
        fail(events)
        events.state("a", "Reconnecting", () => "")
      }
      expect(yield* barrier(events)).toEqual(["a PermanentlyFailed", "a SignInNeeded"])
      const restarted = yield* make(listener, path)
      restarted.signIn("a", needed)
      fail(restarted)
      expect(yield* barrier(restarted)).toEqual([])
      restarted.signIn("a", signedIn)
      restarted.signIn("a", needed)
      restarted.state("a", "Connected", () => "")
      fail(restarted)
      expect(yield* barrier(restarted)).toEqual(["a PermanentlyFailed", "a SignInNeeded"])
      const aDay = 24 * 60 * 60 * 1000
      const almost = yield* Effect.withClock(make(listener, path), later(aDay - 60_000))
      almost.signIn("a", needed)
      fail(almost)
      expect(yield* barrier(almost)).toEqual([])
      const tomorrow = yield* Effect.withClock(make(listener, path), later(aDay + 1))
      tomorrow.signIn("a", needed)
      fail(tomorrow)
      expect(yield* barrier(tomorrow)).toEqual(["a SignInNeeded"])
    }))

  it.scopedLive("[A3:real] a listener's headers go to its own address only, and neither they nor its credentials are shown", () =>
    Effect.gen(function*() {
      const elsewhere = yield* address()
      const { heard, url } = yield* address(() => 307, () => elsewhere.url)
      const event = {
        event: "PermanentlyFailed",
        server: "a",
        at: "",
        message: "",
        gateway: { page: "", config: null }
      }
      const said = (to: string, value: string) =>
        Effect.flip(
          tell(
            { _tag: "Url", url: to, headers: { "X-Key": Redacted.make(value) }, timeout: "1 min" },
            event as ServerEvent,
            "."
          )
        )
      const { host } = new URL(url)
      expect(yield* said(url, key)).toBe(`${host} answered with 307`)
      expect([heard.length, elsewhere.heard.length]).toEqual([1, 0])
      for (const text of [`${key}\nmore`, `${key}\u2022`]) {
        expect(yield* said(url, text)).toMatch(/^headers\.X-Key is not an HTTP header; accepted: [^0-9]*Latin-1/)
      }
      expect(yield* said(url.replace("//", `//me:${key}@`), "x")).toBe(
        `${host} was not reached: it is not an address that can be told`
      )
      expect([heard.length, elsewhere.heard.length]).toEqual([1, 0])
    }))

  it.scopedLive("[A3:real] a listener that fails is logged once, and one that hangs ends with the gateway", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      let status = 500
      const { heard, url } = yield* address(() => status)
      const events = yield* make({ _tag: "Url", url, headers: {}, timeout: "1 min" }, path).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      const tell = (server: string) =>
        Effect.gen(function*() {
          const before = heard.length
          events.state(server, "PermanentlyFailed", () => "gone")
          yield* until(() => heard.length > before)
        })
      yield* tell("a")
      yield* until(() => logged.length === 1)
      yield* tell("b")
      status = 200
      yield* tell("c")
      expect(logged).toEqual([
        `onEvent: ${new URL(url).host} answered with 500 (this is logged once, until an event has been told again)`
      ])

      const scope = yield* Scope.make()
      const file = join(path, "pid")
      const script = `
        require("fs").writeFileSync(${JSON.stringify(file)} + ".new", String(process.pid))
        require("fs").renameSync(${JSON.stringify(file)} + ".new", ${JSON.stringify(file)})
        setInterval(() => {}, 1000)`
      const command = [process.execPath, "-e", script]
      const hanging = yield* Scope.extend(make({ _tag: "Command", command, timeout: "10 min" }, path), scope)
      hanging.state("d", "PermanentlyFailed", () => "gone")
      yield* until(() => existsSync(file))
      const pid = Number(readFileSync(file, "utf8"))
      yield* Scope.close(scope, Exit.void)
      yield* gone(pid)
    }))
})
