import { Effect, Schedule } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { everything } from "../../../testing/test/support/Built.js"
import { bySize } from "../../../testing/test/support/bySize.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { listing, scripted } from "../support/Scripted.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const config = (mcpServers: unknown) =>
  Effect.map(folder, (path) => {
    const file = join(path, "mcp.json")
    // However long they take to start, calls wait for them.
    const timeouts = { connect: "2 minutes", wait: "2 minutes" }
    writeFileSync(file, `// servers\n${JSON.stringify({ mcpServers, lifeline: { timeouts } })}`)
    return file
  })

const serve = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const program = yield* Program.start(["serve", "--port", "0", ...args])
  const [, url = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
  return { program, url }
})

describe.concurrent("mcp-lifeline serve", () => {
  test.scopedLive("[G4] a backend's death is invisible to a client but for the latency of its own calls", function*() {
    const { program, url } = yield* serve()
    const client = yield* TestClient.connect(url)
    const echo = (backend: string, message: string) => Effect.promise(() => TestClient.echo(client, backend, message))
    const both = ["every-stdio__echo", "every-http__echo"]
    yield* Effect.promise(() => TestClient.toolNamesWith(client, both))
    for (const backend of ["every-stdio", "every-http"]) {
      let pid: number | undefined
      for (const round of [1, 2]) {
        pid = yield* Program.processOf(program, backend, pid)
        expect(yield* echo(backend, `before ${round}`)).toBe(`Echo: before ${round}`)
        Program.kill(pid)
        yield* Program.gone(pid)
        // The lists go on for ever: only one without one of the two ends them, and the test.
        const lists = Effect.promise(() => TestClient.toolNames(client)).pipe(
          Effect.map((names) => expect(names).toEqual(expect.arrayContaining(both))),
          Effect.repeat(Schedule.spaced("50 millis"))
        )
        expect(yield* Effect.raceFirst(echo(backend, `after ${round}`), lists)).toBe(`Echo: after ${round}`)
      }
    }
  })

  test.scopedLive("[G1] serve gives the servers of a file as one endpoint, another gateway among them", function*() {
    const first = yield* serve()
    const file = yield* config({
      local: { command: process.execPath, args: ["${EVERYTHING_NOT_SET:-" + everything + "}", "stdio"] },
      remote: { type: "http", url: first.url },
      bad: { command: 5 },
      off: { command: "x", disabled: true }
    })
    const { program, url } = yield* serve("--config", file)
    expect(program.stderr()).toContain(`${file}:2: mcpServers.bad.command: is a number; accepted: a string`)
    const client = yield* TestClient.connect(url)
    const echoes = ["local__echo", "remote__every-stdio__echo", "remote__every-http__echo"]
    const names = yield* Effect.promise(() => TestClient.toolNamesWith(client, echoes))
    expect(new Set(names.map((name) => name.split("__")[0]))).toEqual(new Set(["local", "remote"]))
    expect(yield* Effect.promise(() => TestClient.echo(client, "local", "hi"))).toBe("Echo: hi")
    expect(yield* Effect.promise(() => TestClient.echo(client, "remote__every-stdio", "hi"))).toBe("Echo: hi")
    const metrics = yield* Effect.promise(async () => (await fetch(url.replace("/mcp", "/metrics"))).text())
    expect(metrics).toMatch(/^mcp_client_operation_duration\w*_count\{[^}]*gen_ai_tool_name="echo"[^}]*\} [1-9]/m)
    const health = yield* Effect.promise(async () => (await fetch(url.replace("/mcp", "/health"))).json())
    const connected = { state: "Connected", generation: 1 }
    const backends = { local: connected, remote: connected, off: { state: "Disabled", generation: 0 } }
    expect(health).toEqual({ status: "ok", backends })
  })

  test.scopedLive("[O4 C16] nothing but the id of the call is added to what a client asks of a backend", function*() {
    const [, command, ...args] = scripted("send(said(params))", "", { before: listing("echo") })
    const { base } = yield* Gateway.serve({ mirror: { command, args } })
    const client = yield* TestClient.connect(`${base}/mcp`)
    const seen = yield* Effect.promise(() => TestClient.echo(client, "mirror", "hi"))
    expect(JSON.parse(seen)).toEqual({ name: "echo", arguments: { message: "hi" } })
  })

  test.scopedLive.each<NodeJS.Signals>(bySize(["SIGTERM"], ["SIGTERM", "SIGINT", "SIGHUP"]))(
    "[G7] %s ends the gateway in order, and no process of it is left",
    function*(signal) {
      // The demo, whose HTTP server is the gateway's own child; the other signals with a server that starts in less time.
      const isDemo = signal === "SIGTERM"
      const mcpServers = { "every-stdio": { command: process.execPath, args: [everything, "stdio"] } }
      const { program, url } = yield* serve(...(isDemo ? [] : ["--config", yield* config(mcpServers)]))
      const client = yield* TestClient.connect(url)
      yield* Effect.promise(() => TestClient.echo(client, "every-stdio", "hi"))
      const all = Program.family(program.pid)
      expect(all.length).toBeGreaterThan(0)
      if (isDemo) {
        const pids = ["every-stdio", "every-http"].map((name) => Program.processOf(program, name))
        expect(all).toEqual(expect.arrayContaining(yield* Effect.all(pids)))
      }
      program.signal(signal)
      expect(yield* program.ended).toEqual({ code: 0, signal: null })
      expect(all.filter(Program.alive)).toEqual([])
      expect(Program.complaints(program)).toEqual([])
    }
  )

  test.scopedLive.runIf(bySize(false, true))(
    "[G7:killed] even when it is killed, the servers of the demo end",
    function*() {
      const { program } = yield* serve()
      yield* Effect.all([Program.processOf(program, "every-stdio"), Program.processOf(program, "every-http")])
      const all = Program.family(program.pid)
      program.signal("SIGKILL")
      yield* program.ended
      yield* Effect.forEach(all, Program.gone)
    }
  )
})

// One at a time: the second signal has to come while the orderly end is under way.
describe("mcp-lifeline serve", () => {
  test.scopedLive.each<[string, NodeJS.Signals, string, number]>([
    ["a second signal ends it at once", "SIGTERM", "30 seconds", 130],
    ["a terminal that closes while it ends does not hurry it", "SIGHUP", "2 seconds", 0]
  ])("[G7] %s, and no process of it is left", function*([, second, termGrace, code]) {
    // Never answers, and does not let itself be told to end, which it says where its first argument leads.
    const stubborn = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`
      + `require("node:fs").writeFileSync(process.argv[1], "")`
    const up = join(yield* folder, "up")
    const lifeline = { timeouts: { connect: "1 minute", close: "20 seconds" }, stdio: { termGrace } }
    const server = { command: process.execPath, args: ["-e", stubborn, up], lifeline }
    const { program } = yield* Gateway.serve({ stubborn: server })
    yield* program.until(() => existsSync(up) || undefined)
    const all = Program.family(program.pid)
    expect(all.length).toBeGreaterThan(0)
    program.signal("SIGTERM")
    yield* program.prints(/^Shutting down$/m)
    // Past the half second in which a second signal is the first one again; the orderly end takes `termGrace`, or `close`.
    yield* Effect.sleep("600 millis")
    program.signal(second)
    expect(yield* program.ended).toEqual({ code, signal: null })
    yield* Effect.forEach(all, Program.gone)
  })
})
