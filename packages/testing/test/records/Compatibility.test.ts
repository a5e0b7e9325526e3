import { describe, expect, it } from "@effect/vitest"
import { columns, problems, read } from "../../../../tools/records/compatibility.mjs"
import { textOf } from "../../../../tools/records/proof.mjs"

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
})
