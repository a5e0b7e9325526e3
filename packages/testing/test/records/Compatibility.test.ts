import { describe, expect, it } from "@effect/vitest"
import { columns, problems, read } from "../../../../scripts/records/compatibility.mjs"
import * as Conformance from "../../../../scripts/records/conformance.mjs"
import { textOf } from "../../../../scripts/records/proof.mjs"
import { matrices } from "../../../../scripts/records/recovery.mjs"

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
    const run = { command: "pnpm vitest", date: "2026-11-23" }
    expect(of({ run }, { package: "vitest", version: "0.0.1" })).toContain("vitest@0.0.1 is not what is used")
    expect(problems([{ ...row, cells: {} }])).toEqual(["Some Editor, `wrap`: has no cells"])
    expect(problems([{ ...row, cells: { other: { outcome: "works", reported } } as never }]).join()).toContain(
      "other is no column"
    )
  })

  it("[B4] documents each column and each field of a row", () => {
    const page = textOf("docs/compatibility.md") ?? ""
    for (const name of [...Object.keys(columns), "proof", "run", "reported"]) expect(page).toContain(`\`${name}\``)
    const [, example = ""] = /```json\n([^]*?)```/.exec(page) ?? []
    expect(problems([JSON.parse(example)])).toEqual([])
  })

  it("[B4] the run of the conformance suite that is kept names no folder and no address of the machine", () => {
    const text = JSON.stringify(Conformance.read() ?? {})
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

  it("[B4] clients and faults are a table of each transport, with what was lost on the way", () => {
    const figures = (back: number | string, failed: number) => ({
      "ms to a good call": back,
      failed,
      hung: 0,
      twice: 0
    })
    const parts = [
      { title: "crash-idle, stdio: killed", rows: [{ name: "a", figures: figures(250, 0) }] },
      { title: "wedged, stdio: stopped", rows: [{ name: "b", figures: figures("not in 30 s", 2) }] },
      { title: "Where another client was better", rows: [{ name: "a", figures: { in: "time" } }] }
    ]
    expect(matrices({ commit: "x", date: "y", quick: false, parts })).toEqual([
      "### Servers over stdio\n\n"
      + "| Client | crash-idle | wedged |\n| --- | --- | --- |\n| a | 0.3 s |  |\n| b |  | not in 30 s, 2 failed |"
    ])
  })
})
