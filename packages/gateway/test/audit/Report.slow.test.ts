/** `mcp-lifeline audit`: what it makes of files of calls, and of what is none. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import type { AuditLine } from "../../src/audit/AuditLine.js"
import { forPeople } from "../../src/audit/auditReport.js"
import { digest } from "../../src/audit/canonical.js"
import { Summary } from "../../src/audit/Summary.js"
import * as Program from "../support/Program.js"

describe("mcp-lifeline audit", () => {
  const callOf = (fields: Partial<AuditLine>): AuditLine => ({
    event: "call",
    time: "2026-01-02T03:04:05.000Z",
    door: "mcp",
    client: { program: "editor", version: "1" },
    method: "tools/call",
    server: "files",
    tool: "read",
    hash: digest({}),
    outcome: "ok",
    fate: "answered",
    attempts: 1,
    generation: 1,
    waited: 1,
    answered: 9,
    ...fields
  })

  const line = (fields: Partial<AuditLine>): string => JSON.stringify(callOf(fields))

  it.scopedLive("[G23:real] sums up all files, also one with a line that was cut, as tables and for programs", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const file = join(path, "calls")
      writeFileSync(
        `${file}.2`,
        `${JSON.stringify({ event: "start", time: "" })}\n${line({ time: "2026-01-01T00:00:00.000Z" })}\n`
      )
      writeFileSync(
        `${file}.1`,
        // The name is chosen by whoever has the account.
        `${line({ client: { name: "anna", subject: "https://issuer 1" }, answered: 5000 })}\n${
          line({ client: { name: "anna", subject: "https://issuer 2" }, tool: "pose" })
        }\n${line({ client: { name: "ci", subject: "client:ci", program: "x" } })}\n${
          line({
            client: { name: "eve", subject: "https://issuer 1" },
            time: "2026-01-03T03:04:05.000Z",
            outcome: "error",
            reason: "RequestTimeout",
            fate: "unknown",
            tool: "write"
          })
        }\n`
      )
      writeFileSync(`${file}.x`, "not one of them\n")
      writeFileSync(
        file,
        `${JSON.stringify({ event: "lost", lines: 3 })}\n${
          line({ server: null, tool: "\u001b[31mx", outcome: "error", code: -32602, fate: "notSent", attempts: 0 })
        }\n{"event":"ca`
      )
      const json = yield* Program.run(["audit", file, "--json"])
      expect(json.code).toBe(0)
      const report = JSON.parse(json.stdout)
      expect(report).toMatchObject({
        calls: 6,
        errors: 2,
        torn: 1,
        unreadable: 0,
        lost: 3,
        from: "2026-01-01T00:00:00.000Z"
      })
      expect(report.clients).toMatchObject([
        { name: "program editor", calls: 2, errors: 1 },
        { name: "https://issuer 1", shown: "https://issuer 1 (eve)", calls: 2, errors: 1, unknown: 1, longest: 5001 },
        { name: "https://issuer 2", shown: "https://issuer 2 (anna)", calls: 1 },
        { name: "client:ci", calls: 1 }
      ])
      expect(report.servers).toMatchObject([{ name: "files", calls: 5 }, { name: "-", calls: 1 }])
      expect(report.tools[0]).toMatchObject({ name: "files read", calls: 3 })
      expect(report.failures).toMatchObject([
        { tool: "write", what: "RequestTimeout", fate: "unknown", calls: 1 },
        { what: "error -32602", fate: "notSent" }
      ])
      expect(report.slowest[0]).toMatchObject({ duration: 5001, client: { name: "anna" } })
      const table = yield* Program.run(["audit", file])
      expect(table.stdout).toContain("6 calls, 2 without success")
      expect(table.stdout).toContain("1 line is cut off, as by a full disk or a crash, and left out")
      expect(table.stdout).toContain("https://issuer 2 (anna)")
      expect(table.stdout).not.toContain("\u001b")
      const top = yield* Program.run(["audit", file, "--json", "--top", "1"])
      expect(JSON.parse(top.stdout)).toMatchObject({
        clients: [{ name: "program editor" }],
        slowest: [{ duration: 5001 }]
      })
      const missing = yield* Program.run(["audit", join(path, "none")])
      expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("name the file of --audit")])
    }))

  it.scopedLive("[G23:real] adds up several files with their full ones, each of them once", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const [one, other] = [join(path, "one"), join(path, "other")]
      for (const file of [one, `${one}.1`, `${one}.12`, other]) writeFileSync(file, `${line({})}\n`)
      const calls = (...files: ReadonlyArray<string>) =>
        Effect.map(
          Program.run(["audit", "--json", ...files]),
          ({ stderr, stdout }) => stderr === "" ? JSON.parse(stdout).calls : stderr
        )
      expect(yield* calls(one)).toBe(3)
      expect(yield* calls(`${one}.1`)).toBe(1)
      // As a shell writes it for one*.
      expect(yield* calls(one, `${one}.1`, `${one}.12`, other, one)).toBe(4)
    }))

  it.scopedLive(
    "[G23:real] what is no file of calls is an error that says so; an empty file has no calls",
    () =>
      Effect.gen(function*() {
        const path = yield* folder
        const at = (name: string) => join(path, name)
        writeFileSync(at("empty"), "")
        writeFileSync(at("log"), 'first\n{"level":"info"}\n')
        writeFileSync(at("many"), "x\n".repeat(5000))
        writeFileSync(at("mixed"), `${line({})}\nnot one of them\n`)
        writeFileSync(at("torn"), line({}).slice(0, -20))
        mkdirSync(at("folder"))
        const audit = (...args: ReadonlyArray<string>) => Program.run(["audit", ...args])
        const cannot = (name: string, why: string) =>
          Effect.map(audit(at(name)), ({ code, stderr, stdout }) =>
            expect([code, stdout, stderr]).toEqual([
              1,
              "",
              `mcp-lifeline: ${at(name)} cannot be read: ${why}; name the file of --audit\n`
            ]))
        yield* cannot("nothing", "it does not exist")
        yield* cannot("folder", "it is a folder")
        yield* cannot("log", "none of its lines is one of --audit")
        yield* cannot("many", "none of its lines is one of --audit")
        yield* cannot("empty/file", "a part of its path is no folder")
        if (process.platform !== "win32") {
          execFileSync("mkfifo", [at("pipe")])
          yield* cannot("pipe", "it is no regular file")
        }
        const empty = yield* audit(at("empty"))
        expect([empty.code, empty.stdout]).toEqual([0, "There are no calls in it\n"])
        expect((yield* audit(at("torn"))).stdout).toBe(
          "There are no calls in it\n1 line is cut off, as by a full disk or a crash, and left out\n"
        )
        expect((yield* audit(at("mixed"))).stdout).toContain("1 line is none of --audit, and left out")
        const bare = yield* audit()
        expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining("audit needs FILE")])
        const help = yield* audit("--help")
        expect(help.stdout).toContain("mcp-lifeline audit [options] FILE...")
        expect(help.stdout).toMatch(/ 1 +A file cannot be read, or is none of --audit\./)
      }),
    300_000
  )

  it.scopedLive("[G23:real] reads files that are larger than its memory", () =>
    Effect.gen(function*() {
      const file = join(yield* folder, "calls")
      const lines = Buffer.from(
        Array.from({ length: 200 }, (_, i) =>
          `${line({ tool: `t${i}`, answered: i / 3, arguments: { text: "x".repeat(20_000) } })}\n`).join("")
      )
      const opened = openSync(file, "w")
      for (let i = 0; i < 40; i++) {
        writeSync(opened, lines)
      }
      closeSync(opened)
      // 160 MB, with 48 MB for what lives.
      const { code, stderr, stdout } = yield* Program.run(["audit", file, "--json", "--top", "100000"], {
        NODE_OPTIONS: "--max-old-space-size=48"
      })
      expect([code, stderr]).toEqual([0, ""])
      expect(JSON.parse(stdout)).toMatchObject({ calls: 8000, slowest: { length: 8000 } })
    }), 300_000)
})

describe("the tables of the audit", () => {
  const time = "2026-01-02T03:04:05.678Z"
  const call = (fields: Partial<AuditLine>): AuditLine => ({
    event: "call",
    time,
    door: "mcp",
    client: { subject: "client:ci", name: "ci" },
    method: "tools/call",
    server: "a-server-with-a-long-name",
    tool: "a_tool_with_quite_a_long_name",
    outcome: "ok",
    fate: "answered",
    attempts: 1,
    waited: 0.1,
    answered: 0.2,
    ...fields
  })

  const reportOf = (calls: ReadonlyArray<AuditLine>, top = 20) => {
    const summary = new Summary(top)
    for (const one of calls) summary.add(one)
    return summary.report
  }

  it("[G23:unit] fit into 80 columns, and have nothing below or beside them", () => {
    const outcomes = ["ok", "tool-error", "error", "cancelled", "refused", "task", "input-required"] as const
    const report = reportOf(outcomes.map((outcome, i) => call({ outcome, answered: 10 ** i })))
    for (const width of [80, 100, 160]) {
      const lines = forPeople(report, width).join("\n").split("\n")
      expect(lines[0]).toBe("7 calls, 4 without success, from 2026-01-02 03:04:05 to 2026-01-02 03:04:05 UTC")
      for (const text of lines.slice(1)) expect(text).toMatch(/^[┌├│└].{0,158}[┐┤│┘]$/)
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width)
    }
    expect(forPeople(report, 160).join("\n")).toMatch(
      /│ 2026-01-02 03:04:05 │ 1000 s │ 0 ms +│ input-required │ client:ci │ a-server-with-a-long-name a_tool_with_quite_a_long_name │/
    )
  })

  it("[G23:unit] have figures without the noise of adding them up", () => {
    const report = reportOf(Array.from({ length: 10 }, () => call({})))
    expect(report.clients[0]).toMatchObject({ time: 3, longest: 0.3 })
    expect(JSON.stringify(report)).not.toMatch(/\d\.\d{3,}[,}]/)
  })

  it("[G23:unit] have the slowest of many, without what they were called with", () => {
    const durations = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1009)
    const { slowest } = reportOf(durations.map((answered) => call({ answered, waited: 0, arguments: "x" })), 5)
    expect(slowest.map(({ answered }) => answered)).toEqual(durations.toSorted((a, b) => b - a).slice(0, 5))
    expect(JSON.stringify(slowest)).not.toContain("arguments")
  })

  it("[G23:unit] a task and a question of the server are no errors", () => {
    expect(reportOf([call({ outcome: "task" }), call({ outcome: "input-required" })])).toMatchObject({ errors: 0 })
  })
})
