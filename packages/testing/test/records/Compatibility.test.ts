import { describe, expect, it } from "@effect/vitest"
import { columns, problems, read } from "../../../../tools/records/compatibility.mjs"
import * as Conformance from "../../../../tools/records/conformance.mjs"
import { textOf } from "../../../../tools/records/proof.mjs"
import * as SdkTests from "../../../../tools/records/sdkTests.mjs"

describe("the page of compatibility", () => {
  it("[B4] has rows whose proofs, runs and versions exist", () => {
    expect(problems(read())).toEqual([])
  })

  it("[B4] says what is wrong with a row", () => {
    const row = { part: "Hosts", name: "Some Editor", version: "3.1", way: "`wrap`" }
    const reported = { by: "Ada", date: "2026-11-23", how: "by hand" }
    const of = (cell: object, changes: object = {}) =>
      problems([{ ...row, ...changes, cells: { use: { outcome: "works", ...cell } as never } }]).join()
    expect(of({ reported })).toBe("")
    expect(of({})).toContain("names neither a test (proof), nor a run, nor who has reported it")
    expect(of({ outcome: "does not", reported })).toContain("says not why")
    expect(of({ outcome: "perhaps", why: "?", reported })).toContain("perhaps is no outcome")
    expect(of({ outcome: "cannot be tried here", why: "it needs an account" })).toBe("")
    expect(of({ reported: { ...reported, date: "today" } })).toContain("a date is YYYY-MM-DD")
    expect(of({ run: { command: "pnpm no:such", date: "2026-11-23" } })).toContain("no script for pnpm no:such")
    expect(of({ proof: { test: "packages/none.test.ts", title: "x", contract: ["B4"] } })).toContain("there is no")
    const run = { command: "pnpm test", date: "2026-11-23" }
    expect(of({ run }, { package: "vitest", version: "0.0.1" })).toContain("vitest@0.0.1 is not what is used")
    expect(problems([{ ...row, cells: {} }])).toEqual(["Some Editor, `wrap`: has no cells"])
    expect(problems([{ ...row, cells: { other: { outcome: "works", reported } } as never }]).join()).toContain(
      "other is no column"
    )
  })

  it("[B4] names the versions of clients that the benchmark measures, and so do the page of frameworks and that of the benchmark", () => {
    const { dependencies } = JSON.parse(textOf("tools/benchmarks/recovery/rivals/package.json") ?? "")
    const measured = Object.entries<string>(dependencies).map(([name, version]) => {
      const [, other = name, its = version] = /^npm:(.+)@(.+)$/.exec(version) ?? []
      return { name: other, version: its }
    })
    const rows = read().filter((row) => measured.some(({ name }) => name === row.package))
    expect(new Set(rows.map((row) => row.package)).size).toBeGreaterThanOrEqual(6)
    for (const row of rows) expect(measured).toContainEqual({ name: row.package, version: row.version })
    const own = measured.filter(({ name }) => rows.some((row) => row.package === name))
    const page = textOf("docs/tasks/frameworks.md") ?? ""
    const described = (textOf("tools/benchmarks/recovery/clients/README.md") ?? "").split("\n")
    for (const { name, version } of own) {
      expect(page).toMatch(new RegExp(`\`${name}\` (\\S+ .*and )?${version.replaceAll(".", "\\.")}`))
      if (name.startsWith("@modelcontextprotocol/")) continue
      expect(described.filter((line) => line.includes(`[\`${name}`) && line.includes(`| ${version} `))).not.toEqual([])
    }
  })

  it("[B4] documents each column and each field of a row", () => {
    const page = textOf("docs/compatibility.md") ?? ""
    for (const name of [...Object.keys(columns), "proof", "run", "reported"]) expect(page).toContain(`\`${name}\``)
    const [, example = ""] = /```json\n([^]*?)```/.exec(page) ?? []
    expect(problems([JSON.parse(example)])).toEqual([])
  })

  it("[B4] the runs of the conformance suite and of the SDK's tests that are kept name no folder and no address of the machine", () => {
    const text = JSON.stringify([
      Conformance.read() ?? {},
      ...SdkTests.versions.map((version) => SdkTests.read(version) ?? {})
    ])
    expect(text).not.toMatch(/\/(?:tmp|home|root|Users|work)\/|127\.0\.0\.1|localhost/)
  })

  it("[B4] results of the suite are kept by way and revision, and read again as they were", () => {
    const result = {
      suite: "client",
      way: "connect",
      revision: "2025-11-25",
      scenario: "ping",
      outcome: "passes"
    } as const
    const other = { ...result, scenario: "sse-retry", outcome: "excused", why: "no stream" } as const
    const all = [result, other, { ...result, way: "wrap of a URL", outcome: "fails" } as const]
    expect(Conformance.flat(Conformance.grouped(all))).toEqual(all)
  })

  it("[B4] each of the SDK's tests that does not pass with Lifeline has a reason, as has each file without it", () => {
    for (const version of SdkTests.versions) expect(SdkTests.problems(SdkTests.read(version)?.files ?? [])).toEqual([])
    const run = {
      tests: 3,
      passes: 1,
      better: ["b"],
      fails: [{ kind: "differs", why: "on purpose", tests: ["c"] }]
    } as const
    const file = { file: "test/a.test.ts", tests: 3, passes: 3, ways: { connect: run } }
    const of = (changes: object) => SdkTests.problems([{ ...file, ...changes }]).join()
    expect(of({})).toBe("")
    expect(of({ ways: { connect: { ...run, passes: 2 } } })).toBe("test/a.test.ts: connect: does not add up")
    expect(of({ ways: { other: run } })).toBe("test/a.test.ts: other is no way")
    expect(of({ ways: { connect: { ...run, fails: [{ kind: "unknown", tests: ["c"] }] } } })).toContain(
      "no known reason"
    )
    expect(of({ ways: undefined })).toContain("says not why")
    expect(of({ ways: undefined, why: "tests the server side" })).toBe("")
  })
})
