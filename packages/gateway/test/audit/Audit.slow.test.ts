import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import type { AuditLine } from "../../src/audit/AuditLine.js"
import { digest } from "../../src/audit/canonical.js"
import { callsIn } from "../support/AuditLines.js"
import { ask, type serve, serveHere } from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/named.mjs", import.meta.url))

type Gateway = Effect.Effect.Success<ReturnType<typeof serve>>

interface Calls {
  readonly tool: (name: string, args?: object) => Promise<unknown>
  readonly prompt?: (name: string) => Promise<unknown>
  readonly read?: (uri: string) => Promise<unknown>
  readonly client: object
  readonly door: "mcp" | "api"
}

const settled = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

const calls = (
  of: Pick<ClientV2, "callTool" | "getPrompt" | "readResource">,
  program: string,
  version: string
): Calls => ({
  tool: (name, args) => settled(of.callTool({ name, arguments: args as Record<string, unknown> })),
  prompt: (name) => settled(of.getPrompt({ name })),
  read: (uri) => settled(of.readResource({ uri })),
  client: { program, version },
  door: "mcp"
})

const v1 = ({ base }: Gateway) =>
  Effect.map(TestClient.connect(`${base}/mcp`), (client) => calls(client as never, "test", "1"))

const v2 = ({ base }: Gateway) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new ClientV2({ name: "second", version: "2" }, { versionNegotiation: { mode: "auto" } })
        await client.connect(new HttpV2(new URL(`${base}/mcp`)))
        expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
        return client
      }),
      (client) => Effect.promise(() => client.close().catch(() => undefined))
    ),
    (client) => calls(client, "second", "2")
  )

const api = ({ base }: Gateway) =>
  Effect.succeed<Calls>({
    tool: (name, args) => Effect.runPromise(ask(`${base}/api/call`, "POST", { name, arguments: args })),
    client: {},
    door: "api"
  })

const doors = { "a client of 2025": v1, "a client of 2026": v2, "the API": api } as const

const auditing = Effect.fnUntraced(function*(start: typeof serve, ...args: ReadonlyArray<string>) {
  const path = yield* folder
  const file = join(path, "calls")
  const called = join(path, "called")
  const env = { CALLED: called, MY_SECRET: "s3cr3t-of-the-server" }
  const s = { command: process.execPath, args: [script, "s", "ok", "fail", "refuse", "die"], env }
  const gateway = yield* start({ s }, ["--audit", file, ...args])
  return { ...gateway, audit: file, lines: () => callsIn(file) }
})

const isWritten = (result: unknown, lines: ReadonlyArray<AuditLine>, count: number): AuditLine => {
  // Read in the step after the answer, without waiting for anything.
  expect({ result, count: lines.length }).toEqual({ result, count })
  return lines.at(-1)!
}

describe.each(Object.entries(doors))("calls of %s", (door, open) => {
  test.scopedLive("[G23:real] each is a line, which is there when the answer is, and says what became of it", function*() {
    const gateway = yield* auditing(serveHere)
    const { client, door, prompt, read, tool } = yield* open(gateway)
    let count = 0
    const called = (name: string, args?: object) =>
      Effect.promise(async () => isWritten(await tool(name, args), gateway.lines(), ++count))
    const first = yield* called("s__ok", { b: 1, a: "s3cr3t-argument" })
    const asked = { door, client, method: "tools/call", server: "s", tool: "ok", as: "s__ok" }
    const ended = { outcome: "ok", fate: "answered", attempts: 1, generation: 1 }
    expect(first).toMatchObject({ ...asked, hash: digest({ a: "s3cr3t-argument", b: 1 }), ...ended })
    expect(Object.keys(first)).not.toContain("arguments")
    expect(Math.abs(Date.now() - Date.parse(first.time))).toBeLessThan(600_000)
    expect(first.waited).toBeGreaterThanOrEqual(0)
    expect(first.answered).toBeGreaterThan(0)
    expect(door === "api" || first.id !== undefined).toBe(true)
    const failed = { tool: "fail", outcome: "tool-error", fate: "answered", attempts: 1 }
    expect(yield* called("s__fail")).toMatchObject(failed)
    // What a server says of the fate of a call is not ours.
    const refused = { tool: "refuse", outcome: "error", fate: "answered", attempts: 1 }
    expect(yield* called("s__refuse")).toMatchObject(refused)
    const unsent = { server: null, tool: "s__missing", outcome: "error", fate: "notSent", attempts: 0 }
    expect(yield* called("s__missing")).toMatchObject(unsent)
    const unknown = { server: "s", tool: "die", outcome: "error", fate: "unknown", attempts: 1 }
    expect(yield* called("s__die")).toMatchObject(unknown)
    expect(yield* called("s__ok")).toMatchObject({ outcome: "ok", attempts: 1, generation: 2 })
    const others = [["prompts/get", "s__ok", prompt], ["resources/read", "named://s/ok", read]] as const
    for (const [method, name, ask] of others) {
      if (ask === undefined) continue
      const result = yield* Effect.promise(async () => [await ask(name), gateway.lines()] as const)
      const written = { method, server: "s", tool: name.replace("s__", ""), outcome: "ok" }
      expect(isWritten(...result, ++count)).toMatchObject(written)
    }
    const text = readFileSync(gateway.audit, "utf8")
    expect(text).not.toContain("s3cr3t")
    if (process.platform !== "win32") expect(statSync(gateway.audit).mode & 0o777).toBe(0o600)
  })

  test.scopedLive.runIf(existsSync("/dev/full") && ["a client of 2026", "the API"].includes(door))(
    "[G23:real] stop: with a full disk nothing is called, and /ready says why; go-on: calls go on, and the status counts",
    function*() {
      const path = yield* folder
      for (const full of ["stop", "go-on"]) {
        const called = join(path, full)
        const s = { command: process.execPath, args: [script, "s", "ok"], env: { CALLED: called } }
        const gateway = yield* serveHere({ s }, ["--audit", "/dev/full", "--audit-full", full])
        const { tool } = yield* open(gateway)
        const answer = JSON.stringify(yield* Effect.promise(() => tool("s__ok")).pipe(Effect.map(plain)))
        const { body, status } = yield* ask(`${gateway.base}/ready`)
        const { body: { gateway: { audit } } } = yield* ask(`${gateway.base}/api/status`)
        if (full === "stop") {
          expect(answer).toContain(
            "the call was not sent: nothing is done without a line in the audit, and /dev/full cannot be written (the disk is full); "
              + "make room on the disk"
          )
          expect(existsSync(called)).toBe(false)
          expect(status).toBe(503)
          expect(body.auditProblem).toBe(
            "/dev/full cannot be written (the disk is full), so calls are refused; make room on the disk"
          )
        } else {
          expect(answer).toContain("s ok")
          yield* Effect.promise(() => tool("s__ok"))
          expect(readFileSync(called, "utf8")).toBe("ok\nok\n")
          expect(status).toBe(200)
          // The line of the start, and one for each call.
          const losing = { file: "/dev/full", lost: 3 }
          expect((yield* ask(`${gateway.base}/api/status`)).body.gateway.audit).toMatchObject(losing)
          const warnings = gateway.program.stderr().split("\n").filter((line) => line.includes("cannot be written"))
          expect(warnings).toHaveLength(1)
        }
        expect(audit.problem).toContain("the disk is full")
        const { stdout } = yield* gateway.command("status", "--url", gateway.base)
        expect(stdout).toMatch(
          full === "stop"
            ? /^Audit: \/dev\/full cannot be written \(the disk is full\), so calls are refused; make room on the disk$/m
            : /^Audit: .* so calls have no line; make room on the disk\nAudit: 3 calls have no line in \/dev\/full$/m
        )
      }
    }
  )
})

/** An error with its message, which JSON leaves out. */
const plain = (answer: unknown): unknown => answer instanceof Error ? answer.message : answer

describe("the audit", () => {
  test.scopedLive("[G23:real] a file that cannot be opened stops the start, with the reason", function*() {
    const { code, stderr } = yield* Program.run(["serve", "--port", "0", "--audit", "/no/such/folder/calls"])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /--audit: \/no\/such\/folder\/calls cannot be opened: its folder does not exist; make the folder \/no\/such\/folder$/m
    )
    const sizes = ["5", "99999TB", "1001 GB"].map((size) =>
      [["--audit", "x", "--audit-size", size], /--audit-size must be a size from 1 MB to 1000 GB/] as const
    )
    const others = [
      [["--audit-full", "stop"], /--audit-full needs --audit FILE/],
      [["--audit", "x", "--audit-full", "maybe"], /--audit-full maybe is not known; accepted: stop, go-on/]
    ] as const
    for (const [args, message] of [...sizes, ...others]) {
      const refused = yield* Program.run(["serve", ...args])
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)])
    }
  })
})
