import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Program from "./support/Program.js"
import * as TestClient from "./support/TestClient.js"

const everything = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js"
)

/** A file with these servers, gone with the scope. */
const config = (mcpServers: unknown) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "lifeline-"))
      writeFileSync(join(folder, "mcp.json"), `// servers\n${JSON.stringify({ mcpServers })}`)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ).pipe(Effect.map((folder) => join(folder, "mcp.json")))

/** A gateway, as a user starts it, and its URL. */
const serve = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const program = yield* Program.start(["serve", "--port", "0", ...args])
    const [, url = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
    return { program, url }
  })

describe("mcp-lifeline serve", () => {
  it.scopedLive(
    "[G4] a backend's death is invisible to a client but for the latency of its own calls",
    () =>
      Effect.gen(function*() {
        const { program, url } = yield* serve()
        const client = yield* TestClient.connect(url)
        const echo = (backend: string, message: string) =>
          Effect.promise(() => TestClient.echo(client, backend, message))
        const both = ["every-stdio__echo", "every-http__echo"]
        expect(yield* Effect.promise(() => TestClient.toolNames(client))).toEqual(expect.arrayContaining(both))
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
      }),
    120_000
  )

  it.scopedLive(
    "[G1] serve gives the servers of a file as one endpoint, another gateway among them",
    () =>
      Effect.gen(function*() {
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
        const names = yield* Effect.promise(() => TestClient.toolNames(client))
        expect(names).toEqual(expect.arrayContaining(["local__echo", "remote__every-http__echo"]))
        expect(new Set(names.map((name) => name.split("__")[0]))).toEqual(new Set(["local", "remote"]))
        expect(yield* Effect.promise(() => TestClient.echo(client, "local", "hi"))).toBe("Echo: hi")
        expect(yield* Effect.promise(() => TestClient.echo(client, "remote__every-stdio", "hi"))).toBe("Echo: hi")
        const metrics = yield* Effect.promise(async () => (await fetch(url.replace("/mcp", "/metrics"))).text())
        expect(metrics).toMatch(/^mcp_client_operation_duration\w*_count\{[^}]*gen_ai_tool_name="echo"[^}]*\} [1-9]/m)
        const health = yield* Effect.promise(async () => (await fetch(url.replace("/mcp", "/health"))).json())
        expect(health).toEqual({
          status: "ok",
          backends: {
            local: { state: "Connected", generation: 1 },
            remote: { state: "Connected", generation: 1 },
            off: { state: "Disabled", generation: 0 }
          }
        })
      }),
    120_000
  )

  it.scopedLive.each<NodeJS.Signals>(["SIGTERM", "SIGINT", "SIGHUP"])(
    "[G7] %s ends the gateway in order, and no process of it is left",
    (signal) =>
      Effect.gen(function*() {
        const { program, url } = yield* serve()
        const client = yield* TestClient.connect(url)
        const pids = yield* Effect.all([
          Program.processOf(program, "every-stdio"),
          Program.processOf(program, "every-http")
        ])
        expect(Program.family(program.pid)).toEqual(expect.arrayContaining(pids))
        const all = Program.family(program.pid)
        yield* Effect.promise(() => TestClient.echo(client, "every-stdio", "hi"))
        program.signal(signal)
        expect(yield* program.ended).toEqual({ code: 0, signal: null })
        expect(all.filter(Program.alive)).toEqual([])
        expect(Program.complaints(program)).toEqual([])
      }),
    60_000
  )

  it.scopedLive("[G7] a second signal ends it at once, and no process of it is left", () =>
    Effect.gen(function*() {
      // Says that it runs, never answers, and does not let itself be told to end.
      const stubborn = `process.on("SIGTERM", () => {}); process.stderr.write("up\\n"); setInterval(() => {}, 1000)`
      const file = yield* config({
        stubborn: { command: process.execPath, args: ["-e", stubborn], lifeline: { timeouts: { connect: "1 minute" } } }
      })
      const { program } = yield* serve("--config", file)
      const all = yield* program.until(() => {
        const pids = Program.family(program.pid)
        return pids.length > 0 ? pids : undefined
      })
      program.signal("SIGTERM")
      yield* program.prints(/^Shutting down$/m)
      // Past the half second in which a second signal is the first one again; the orderly end takes four.
      yield* Effect.sleep("600 millis")
      program.signal("SIGTERM")
      expect(yield* program.ended).toEqual({ code: 130, signal: null })
      yield* Effect.forEach(all, Program.gone)
    }), 60_000)

  it.scopedLive("[G7:killed] even when it is killed, the servers of the demo end", () =>
    Effect.gen(function*() {
      const { program } = yield* serve()
      yield* Effect.all([Program.processOf(program, "every-stdio"), Program.processOf(program, "every-http")])
      const all = Program.family(program.pid)
      program.signal("SIGKILL")
      yield* program.ended
      yield* Effect.forEach(all, Program.gone)
    }), 60_000)
})
