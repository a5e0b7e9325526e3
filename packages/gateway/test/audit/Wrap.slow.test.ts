import { Effect } from "effect"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import { digest } from "../../src/audit/canonical.js"
import { callsIn } from "../support/AuditLines.js"
import { type Host, startWrap, wrap } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/named.mjs", import.meta.url))

const wrapped = (args: ReadonlyArray<string>, { file = "calls", start = wrap } = {}) =>
  Effect.gen(function*() {
    const path = yield* folder
    const audit = file.startsWith("/") ? file : join(path, file)
    const called = join(path, "called")
    const server = ["--", process.execPath, script, "s", "ok", "fail", "refuse", "slow", "die"]
    const surroundings = { state: join(path, "state"), env: { CALLED: called } }
    const host = yield* Effect.acquireRelease(
      Effect.sync(() => start(["--name", "s", "--audit", audit, ...args, ...server], surroundings)),
      (host) =>
        Effect.promise(async () => {
          host.child.stdin?.end()
          host.child.kill("SIGTERM")
          await host.ended
        })
    )
    const names = () => existsSync(called) ? readFileSync(called, "utf8").split("\n").slice(0, -1) : []
    return { host, path, audit, lines: () => callsIn(audit), called: names }
  })

type Call = (name: string, args?: unknown) => Promise<unknown>

const open = (host: Host) =>
  Effect.promise(async (): Promise<Call> => {
    await host.initialize()
    return (name, args) => host.request("tools/call", { name, arguments: args })
  })

describe("wrap --audit", () => {
  test.scopedLive("[G23:real W1] each call is a line, which is there when the answer is, and says what became of it", function*() {
    const ok = { outcome: "ok", fate: "answered" }
    const { audit, called, host, lines } = yield* wrapped(["--audit-arguments"])
    const call = yield* open(host)
    let count = 0
    const line = (name: string, args?: unknown) =>
      Effect.promise(async () => {
        const answer = await call(name, args)
        // Read in the step after the answer, without waiting for anything.
        const found = lines()
        expect([answer, found.length]).toEqual([answer, ++count])
        return found.at(-1)!
      })
    const first = yield* line("ok", { b: 1 })
    const asked = { door: "mcp", client: { program: "test-host", version: "1" }, method: "tools/call", server: "s" }
    const given = { tool: "ok", hash: digest({ b: 1 }), arguments: { b: 1 } }
    expect(first).toMatchObject({ ...asked, ...given, ...ok, attempts: 1, generation: 1 })
    expect(first.as).toBeUndefined()
    expect(first.id).toBeDefined()
    expect(yield* line("fail")).toMatchObject({ tool: "fail", outcome: "tool-error", fate: "answered" })
    expect(yield* line("refuse")).toMatchObject({ server: "s", tool: "refuse", outcome: "error", fate: "answered" })
    expect(yield* line("die")).toMatchObject({ server: "s", tool: "die", outcome: "error", fate: "unknown" })
    expect(yield* line("ok")).toMatchObject({ outcome: "ok", attempts: 1, generation: 2 })
    expect(called()).toEqual(["ok", "fail", "die", "ok"])
    if (process.platform !== "win32") expect(statSync(audit).mode & 0o777).toBe(0o600)
  })

  test.scopedLive.skipIf(!existsSync("/dev/full"))(
    "[G23:real] with a full disk, stop calls nothing, and go-on goes on; each says so once",
    function*() {
      for (const full of ["stop", "go-on"]) {
        const { called, host } = yield* wrapped(["--audit-full", full], { file: "/dev/full" })
        const call = yield* open(host)
        const answers = yield* Effect.promise(async () => [await call("ok"), await call("ok")])
        const said = answers.map((one) => one instanceof Error ? one.message : JSON.stringify(one)).join()
        if (full === "stop") {
          expect(said).toContain("/dev/full cannot be written (the disk is full); make room on the disk")
          expect(called()).toEqual([])
        } else expect(called()).toEqual(["ok", "ok"])
        const warnings = host.stderr.split("\n").filter((line) => line.includes("cannot be written"))
        expect(warnings).toEqual([expect.stringContaining("(the disk is full)")])
      }
    },
    300_000
  )

  test.scopedLive(
    "[G23:real] what is malformed has its line, with its tool, however deep it is",
    function*() {
      const { host, lines } = yield* wrapped([])
      yield* Effect.promise(async () => {
        await host.initialize()
        await host.request("tools/call", { name: "ok", arguments: "x" })
        await host.request("tools/call")
        const deep = `${"[".repeat(2000)}${"]".repeat(2000)}`
        const params = `{"name":"ok","arguments":{"a":${deep}}}`
        host.child.stdin.write(`{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":${params}}\n`)
        await host.until(() => host.messages.find(({ id }) => id === "deep"))
      })
      const found = lines()
      expect(found).toMatchObject([
        { server: "s", tool: "ok", hash: digest("x") },
        { server: "s", tool: "" },
        { server: "s", tool: "ok", id: "deep", outcome: "error", code: -32602, fate: "notSent", attempts: 0 }
      ])
      expect(found[2]?.hash).toBeUndefined()
    },
    300_000
  )

  test.scopedLive("[G23:real] calls that the host gives up, and those that it leaves, have one line each", function*() {
    const { called, host, lines } = yield* wrapped([])
    yield* Effect.promise(async () => {
      await host.initialize()
      host.send({ jsonrpc: "2.0", id: "up", method: "tools/call", params: { name: "slow" } })
      await Effect.runPromise(Program.eventually(() => called().length === 1 ? true : undefined))
      host.notify("notifications/cancelled", { requestId: "up" })
      host.send({ jsonrpc: "2.0", id: "left", method: "tools/call", params: { name: "slow" } })
      await Effect.runPromise(Program.eventually(() => called().length === 2 ? true : undefined))
      host.child.stdin.end()
      host.child.kill("SIGTERM")
      await host.ended
    })
    expect(lines()).toMatchObject([
      { id: "up", tool: "slow", outcome: "cancelled", fate: "unknown", attempts: 1 },
      { id: "left", tool: "slow", outcome: "error", fate: "unknown", attempts: 1 }
    ])
  })

  test.scopedLive("[G23:real] one that is killed at the moment of an answer has left its line", function*() {
    const { host, lines } = yield* wrapped([], { start: startWrap })
    yield* Effect.promise(async () => {
      await host.initialize()
      await Promise.all(Array.from({ length: 20 }, () => host.call("ok")))
      process.kill(host.pid, "SIGKILL")
      await host.ended
    })
    expect(lines().map(({ outcome }) => outcome)).toEqual(Array.from({ length: 20 }, () => "ok"))
  })

  test.scopedLive("[G23:real] tries a file again that could not be written, and its lines follow", function*() {
    const { audit, host, lines, path } = yield* wrapped([], { file: "calls" })
    yield* Effect.promise(async () => {
      await host.initialize()
      await host.call("ok")
      rmSync(audit)
      mkdirSync(audit)
      const { error } = await host.request("tools/call", { name: "ok" })
      expect(error?.message).toMatch(/was carried out, but its answer is withheld, .* \(it is a folder\); remove/)
      const withheld = { fate: "notSent", tag: "NotRecorded" }
      expect((await host.request("tools/call", { name: "ok" })).error?.data).toEqual(withheld)
      rmSync(audit, { recursive: true })
      const isWritten = () => (existsSync(audit) && readFileSync(audit, "utf8") !== "") || undefined
      await Effect.runPromise(Program.eventually(isWritten))
      await host.call("ok")
    })
    expect(lines().map(({ fate }) => fate)).toEqual(["answered", "answered"])
    expect(path).not.toBe("")
  })

  test.scopedLive("[G23:real] a file that cannot be opened stops the start; its options need --audit", function*() {
    const refusals = [
      [["--audit", "/no/such/folder/calls"], 1, "its folder does not exist; make the folder"],
      [["--audit-full", "stop"], 2, "--audit-full needs --audit FILE"]
    ] as const
    for (const [args, code, message] of refusals) {
      const refused = yield* Program.run(["wrap", ...args, "--", process.execPath, script, "s", "ok"])
      expect(refused).toMatchObject({ code, stderr: expect.stringContaining(message) })
    }
  })
})
