/** What is said of the calls of files: the sums, the tables, and which lines count. */
import { execFileSync } from "node:child_process"
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import * as AuditLine from "../../src/audit/AuditLine.js"
import { addAll } from "../../src/audit/AuditReader.js"
import { forPeople, forPrograms } from "../../src/audit/auditReport.js"
import { Summary } from "../../src/audit/Summary.js"

const lineOf = (fields: Partial<AuditLine.AuditLine> = {}): AuditLine.AuditLine => ({
  event: "call",
  time: "2026-01-02T03:04:05.678Z",
  door: "mcp",
  client: { subject: "client:ci", name: "ci" },
  method: "tools/call",
  server: "files",
  tool: "read",
  outcome: "ok",
  fate: "answered",
  attempts: 1,
  waited: 1,
  answered: 9,
  ...fields
})

const summed = (lines: ReadonlyArray<Partial<AuditLine.AuditLine>>, top = 20): Summary => {
  const summary = new Summary(top)
  for (const line of lines) summary.add(lineOf(line))
  return summary
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString()

describe("the sums of calls", () => {
  it("[G23:unit] are those of each client, server and tool, most calls first, with errors, times and the last one", () => {
    const { report } = summed([
      { time: at(3), waited: 0.1, answered: 0.2 },
      { time: at(1), waited: 0.3, answered: 0, client: { program: "editor" }, tool: "write" },
      { time: at(2), waited: 30, answered: 0.005, outcome: "tool-error" },
      { time: at(0), server: null, tool: "none", outcome: "error", fate: "unknown", waited: 5, answered: undefined },
      { time: at(5), server: "other", outcome: "cancelled", fate: "unknown" },
      { time: at(4), server: "other", outcome: "refused", fate: "notSent" },
      { time: at(4), server: "other", outcome: "task" },
      { time: at(4), server: "other", outcome: "input-required" }
    ])
    const row = (
      name: string,
      calls: number,
      errors: number,
      unknown: number,
      time: number,
      longest: number,
      last: number
    ) => ({
      name,
      calls,
      errors,
      unknown,
      time,
      longest,
      last: at(last)
    })
    expect(report).toMatchObject({ calls: 8, errors: 4, from: at(0), to: at(5) })
    expect(report.clients).toEqual([
      row("client:ci", 7, 4, 2, 75.31, 30.01, 5),
      row("program editor", 1, 0, 0, 0.3, 0.3, 1)
    ])
    expect(report.servers).toEqual([
      row("other", 4, 2, 1, 40, 10, 5),
      row("files", 3, 1, 0, 30.61, 30.01, 3),
      row("-", 1, 1, 1, 5, 5, 0)
    ])
    expect(report.tools).toEqual([
      row("other read", 4, 2, 1, 40, 10, 5),
      row("files read", 2, 1, 0, 30.31, 30.01, 3),
      row("files write", 1, 0, 0, 0.3, 0.3, 1),
      row("- none", 1, 1, 1, 5, 5, 0)
    ])
  })

  it("[G23:unit] of failures are by server, tool, reason and fate, with the last one", () => {
    const error = { outcome: "error", fate: "unknown" } as const
    const { report } = summed([
      { ...error, reason: "RequestTimeout", code: 5, time: at(9) },
      { ...error, reason: "RequestTimeout", time: at(3) },
      { ...error, code: -32_602 },
      { ...error, code: -32_602, fate: "answered" },
      { ...error, time: at(1) },
      { ...error, time: at(2) },
      { ...error, time: at(2) },
      { ...error, tool: "write" },
      {},
      { outcome: "tool-error", server: null }
    ])
    expect(report.failures.map(({ calls, fate, last, server, tool, what }) => [calls, server, tool, what, fate, last]))
      .toEqual([
        [3, "files", "read", "error", "unknown", at(2)],
        [2, "files", "read", "RequestTimeout", "unknown", at(9)],
        [1, "files", "read", "error -32602", "unknown", lineOf().time],
        [1, "files", "read", "error -32602", "answered", lineOf().time],
        [1, "files", "write", "error", "unknown", lineOf().time],
        [1, "-", "read", "tool-error", "answered", lineOf().time]
      ])
  })

  it("[G23:unit] tell names apart of which lines do not have the whole, by their hashes", () => {
    const hash = (digit: string): string => `sha256:${digit.repeat(64)}`
    const { report } = summed([
      { tool: "cut", toolHash: hash("a"), outcome: "error" },
      { tool: "cut", toolHash: hash("b") },
      { tool: "cut" }
    ])
    expect(report.tools.map(({ name }) => name)).toEqual([
      "files cut #aaaaaaaaaaaa",
      "files cut #bbbbbbbbbbbb",
      "files cut"
    ])
    expect(report.failures[0]?.tool).toBe("cut #aaaaaaaaaaaa")
  })

  it("[G23:unit] show a client with the name that it had last, whatever the order of the lines", () => {
    const anna = { subject: "https://issuer 1", name: "anna" }
    const eve = { ...anna, name: "eve" }
    for (const lines of [[[1, anna], [2, eve]], [[2, eve], [1, anna]]] as const) {
      const { clients } = summed(lines.map(([second, client]) => ({ time: at(second), client }))).report
      expect(clients).toMatchObject([{ name: "https://issuer 1", shown: "https://issuer 1 (eve)", calls: 2 }])
    }
  })

  it.each([1, 3, 50])(
    "[G23:unit X5] name the %d slowest, the slowest first, without arguments, of however many",
    (top) => {
      const durations = Array.from({ length: 200 }, (_, i) => (i * 37) % 200)
      const { report } = summed(durations.map((waited) => ({ waited, answered: 0, arguments: "x" })), top)
      expect(report.slowest.map(({ waited }) => waited)).toEqual(Array.from({ length: top }, (_, i) => 199 - i))
      expect(JSON.stringify(report.slowest)).not.toContain("arguments")
    }
  )

  it("[G23:unit X5] have so many rows at most, and count what has too many names together", () => {
    const summary = new Summary(2)
    for (let i = 0; i < 10_050; i++) {
      summary.add(
        lineOf({
          client: { subject: `c${i}` },
          server: `s${i}`,
          tool: i === 0 ? "t".repeat(2000) : `t${i}`,
          outcome: "error"
        })
      )
    }
    const { report } = summary
    for (const rows of [report.clients, report.servers, report.tools]) {
      expect(rows).toHaveLength(2)
      expect(rows[0]).toMatchObject({ name: "(others)", calls: 50 })
    }
    expect(report).toMatchObject({ calls: 10_050, errors: 10_050 })
    expect(report.failures).toHaveLength(2)
    expect(summed([{ client: { subject: "s".repeat(2000) } }]).report.clients[0]?.name).toHaveLength(1100)
  })
})

describe("what is printed of them", () => {
  const width = 200
  const texts = (lines: ReadonlyArray<Partial<AuditLine.AuditLine>>, more: Partial<Summary> = {}) =>
    forPeople(Object.assign(summed(lines), more).report, width).join("\n").replaceAll(/[ │]+/g, " ")

  it("[G23:unit] is a line and tables, with shares, means and the longest times", () => {
    const text = texts([
      { answered: 998.4 },
      { outcome: "error", reason: "RequestTimeout", fate: "unknown", answered: 4599, time: at(59) },
      { answered: 149_999 },
      { server: null, tool: "none\u001b[31m", client: {} }
    ])
    expect(text).toContain("4 calls, 1 without success, from 2026-01-02 03:04:05 to 2026-01-02 03:04:59 UTC")
    expect(text).toContain("client calls errors share unknown mean longest")
    expect(text).toContain("client:ci 3 1 33% 1 51.9 s 150 s")
    expect(text).toContain("files 3 1 33% 1 51.9 s 150 s")
    expect(text).toContain("- 1 0 0 10 ms 10 ms")
    expect(text).toContain("errors why fate last (UTC) server and tool")
    expect(text).toContain("1 RequestTimeout unknown 2026-01-02 03:04:59 files read")
    expect(text).toContain("slowest (UTC) took waited outcome client server and tool")
    expect(text).toContain("2026-01-02 03:04:05 150 s 1 ms ok client:ci files read")
    expect(text).toContain("2026-01-02 03:04:59 4.6 s 1 ms error client:ci files read")
    expect(text).toContain("999 ms")
    expect(text).not.toContain("\u001b")
    expect(texts([{}])).toContain("1 call, 0 without success")
    expect(texts([{}])).not.toContain("why")
  })

  it.each([
    [{ torn: 1 }, "1 line is cut off"],
    [{ torn: 2 }, "2 lines are cut off"],
    [{ unreadable: 1 }, "1 line is none of --audit"],
    [{ unreadable: 2 }, "2 lines are none of --audit"],
    [{ lost: 1 }, "1 call has no line"],
    [{ lost: 2 }, "2 calls have no line"]
  ])("[G23:unit] says %j, with calls and without", (more, text) => {
    for (const lines of [[], [{}]]) {
      const all = texts(lines, more)
      expect(all).toContain(text)
      expect(all.includes("There are no calls in it")).toBe(lines.length === 0)
      expect(all.match(/cut off|none of|no line/g)).toHaveLength(1)
    }
  })

  it.each([80, 120])("[G23:unit] fits into %d columns", (columns) => {
    const name = "name-of-something".repeat(10)
    const { report } = summed([{ tool: name, client: { program: name }, outcome: "error", reason: name }])
    for (const text of forPeople(report, columns).slice(1)) {
      for (const row of text.split("\n")) expect([row, row.length <= columns]).toEqual([row, true])
    }
  })

  it("[G23:unit] has for programs the time of each of the slowest", () => {
    expect(forPrograms(summed([{}]).report)).toMatchObject({
      calls: 1,
      slowest: [{ waited: 1, answered: 9, duration: 10 }]
    })
  })
})

describe("which lines of files count", () => {
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), "lifeline-audit-"))
    onTestFinished(() => rmSync(path, { recursive: true, force: true }))
    return path
  }
  const added = async (files: ReadonlyArray<string>) => {
    const summary = new Summary(20)
    const seen = new Set<string>()
    for (const file of files) await addAll(file, summary, seen, new AbortController().signal)
    return summary.report
  }
  const reasonOf = (file: string): Promise<string> => added([file]).then(() => "", ({ message }: Error) => message)
  const text = (fields?: Partial<AuditLine.AuditLine>): string => `${JSON.stringify(lineOf(fields))}\n`

  it("[G23:unit] those of calls; what is lost is added up, and what was cut off is told from what is no line at all", async () => {
    const file = join(folder(), "calls")
    const whole = text().trim()
    writeFileSync(
      file,
      [
        `{"event":"start","time":"x"}`,
        whole,
        "",
        `{"event":"lost","lines":3}`,
        `{"event":"lost","lines":"4"}`,
        `{"event":"lost","lines":2}`,
        whole.slice(0, 9),
        whole.slice(0, 4),
        whole.slice(0, -1),
        "not one of them",
        `{"event":"other"}`,
        `{"event":"call"}`,
        "[1]",
        "5"
      ].join("\n")
    )
    expect(await added([file])).toMatchObject({ calls: 1, lost: 5, torn: 3, unreadable: 5 })
  })

  it.each(["time", "method", "tool", "outcome", "fate", "client", "waited", "server"])(
    "[G23:unit] not those without %s, or with one of another type",
    (member) => {
      const line = lineOf()
      expect(AuditLine.read(JSON.stringify(line))).toEqual(line)
      for (const value of [undefined, member === "client" || member === "waited" ? "x" : 5]) {
        expect(AuditLine.read(JSON.stringify({ ...line, [member]: value }))).toBeUndefined()
      }
    }
  )

  it("[G23:unit] also those of the full files that belong to a file, each once, and of no others", async () => {
    const path = folder()
    const file = join(path, "calls")
    for (const [i, name] of ["", ".1", ".2", ".10", ".999999"].entries()) {
      writeFileSync(file + name, text({ tool: `t${i}` }))
    }
    for (const name of [".0", ".01", ".1x", ".1000000", ".x", "2"]) {
      writeFileSync(file + name, text({ tool: "not ours" }))
    }
    writeFileSync(join(path, "other.1"), text({ tool: "not ours" }))
    const report = await added([file, `${file}.1`, file])
    expect(report.tools.map(({ name }) => name).toSorted()).toEqual([0, 1, 2, 3, 4].map((i) => `files t${i}`))
    // The youngest has just been put aside.
    rmSync(file)
    expect((await added([file])).calls).toBe(4)
    expect((await added([`${file}.1`])).calls).toBe(1)
  })

  it("[G23:unit X5] also of a file with lines that are longer than any of ours, of which only the end is looked at", async () => {
    const file = join(folder(), "calls")
    writeFileSync(file, text())
    for (let i = 0; i < 6; i++) appendFileSync(file, "x".repeat(1024 * 1024))
    appendFileSync(file, `\n${text()}`)
    const long = "y".repeat(3 * 1024 * 1024)
    appendFileSync(file, text({ tool: long }))
    expect(await added([file])).toMatchObject({ calls: 3, torn: 0, unreadable: 1 })
  })

  it("[G23:unit] of none that cannot be read: says why, and what to name", async () => {
    const path = folder()
    expect(await reasonOf(join(path, "none"))).toMatch(
      /none cannot be read: it does not exist; name the file of --audit$/
    )
    mkdirSync(join(path, "folder"))
    expect(await reasonOf(join(path, "folder"))).toContain("it is a folder")
    writeFileSync(join(path, "empty"), "")
    expect(await reasonOf(join(path, "empty"))).toBe("")
    expect(await reasonOf(join(path, "empty", "x"))).toContain("a part of its path is no folder")
    // One line of ours, or a thousand of others: the rest of a huge file is not read.
    writeFileSync(join(path, "other"), "no\n".repeat(999))
    expect(await reasonOf(join(path, "other"))).toContain("none of its lines is one of --audit")
    appendFileSync(join(path, "other"), text())
    expect(await added([join(path, "other")])).toMatchObject({ calls: 1, unreadable: 999 })
    appendFileSync(join(path, "huge"), "no\n".repeat(100_000))
    appendFileSync(join(path, "huge"), text())
    const summary = new Summary(1)
    await expect(addAll(join(path, "huge"), summary, new Set(), new AbortController().signal)).rejects.toThrow(
      "none of its lines is one of --audit"
    )
    expect(summary).toMatchObject({ unreadable: 1000, report: { calls: 0 } })
    if (process.platform === "win32") return
    execFileSync("mkfifo", [join(path, "pipe")])
    expect(await reasonOf(join(path, "pipe"))).toContain("it is no regular file")
  })

  it("[G23:unit] no more once it is stopped", async () => {
    const file = join(folder(), "calls")
    writeFileSync(file, text())
    const stopped = new AbortController()
    stopped.abort()
    await expect(addAll(file, new Summary(1), new Set(), stopped.signal)).rejects.toThrow("cannot be read")
  })
})
