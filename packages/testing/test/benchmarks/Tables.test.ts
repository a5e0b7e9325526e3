import { describe, expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { matrix } from "../../../../tools/benchmarks/pages/matrix.mjs"
import { made } from "../../../../tools/benchmarks/pages/pages.mjs"
import { merged, packed, printed, read, reduced, root, unpacked } from "../../../../tools/benchmarks/pages/records.mjs"
import { allTables, table } from "../../../../tools/benchmarks/pages/tables.mjs"

const row = (name: string, figures: Record<string, number | string>) => ({ name, figures })

const record = (name: string, rows: ReadonlyArray<ReturnType<typeof row>>, notes?: ReadonlyArray<string>) => ({
  commit: "0123456789abcdef, with changes",
  date: "2026-01-02T03:04:05.000Z",
  machine: { cores: 2, cpu: "a processor", memoryGB: 8, platform: "linux x64" },
  versions: { node: "v20.18.0" },
  rounds: 2,
  benchmarks: [{
    name,
    notes: ["of all parts"],
    parts: [{ title: "a title", rows, ...(notes === undefined ? {} : { notes }) }],
    figures: [{ part: "", row: "ours", column: "ms", values: [1, 3], median: 2.345 }]
  }]
})

const lines = (rows: ReadonlyArray<ReturnType<typeof row>>, name = "recovery") => {
  const [measured] = reduced(record(name, rows))
  return table(name, { [name]: measured! }).split("\n").slice(2, 2 + rows.length)
}

describe("tables", () => {
  it("[B1] are those that the kept figures give; if this fails: pnpm build tables", () => {
    const files = made(read())
    const different = Object.entries(files).filter(([path, text]) => readFileSync(join(root, path), "utf8") !== text)
    expect(different.map(([path]) => path)).toEqual([])
  })

  it("[B1] a kept figure is the median of the rounds; a text, and what was measured once, is kept as it is", () => {
    const [measured] = reduced(record("any", [row("ours", { ms: 1, killed: "ends" }), row("other", { ms: 7.0049 })]))
    expect(measured?.parts[0]?.rows).toEqual([row("ours", { ms: 2.35, killed: "ends" }), row("other", { ms: 7 })])
    expect(measured?.parts[0]?.run).toMatchObject({ commit: "0123456, with changes", date: "2026-01-02" })
  })

  it("[B1] what is kept names no folder of the machine that measured", () => {
    const [measured] = reduced(record("any", [], [
      "x is left out: ENOENT, open '/tmp/lifeline-gateways-1/x/package.json'",
      "http://127.0.0.1:3001/mcp has 5 calls/s"
    ]))
    expect(measured?.parts[0]?.notes).toEqual([
      "x is left out: ENOENT, open 'package.json'",
      "http://127.0.0.1:3001/mcp has 5 calls/s"
    ])
  })

  it("[B1] of a benchmark that was measured in part, only that part is replaced, and each table says of which run it is", () => {
    const part = (id: string, ms: number) => ({ id, title: `${id}, ${ms}`, rows: [row("ours", { ms })], notes: [] })
    const run = (commit: string, rounds: number, ...parts: ReadonlyArray<ReturnType<typeof part>>) =>
      reduced({
        ...record("cluster", []),
        commit,
        rounds,
        benchmarks: [{ name: "cluster", figures: [], notes: [`noted at ${commit}`], parts }]
      })[0]!.parts
    const first = run("aaaaaaa", 1, part("hop", 1), part("cpu", 2))
    const parts = merged(first, run("bbbbbbb", 3, part("cpu", 3), part("other", 4)))
    expect(parts.map(({ id, run }) => [id, run.commit])).toEqual([
      ["hop", "aaaaaaa"],
      ["cpu", "bbbbbbb"],
      ["other", "bbbbbbb"]
    ])
    const records = { cluster: unpacked(JSON.parse(JSON.stringify(packed({ name: "cluster", parts })))) }
    expect(records.cluster.parts).toEqual(parts)
    const [hop, cpu] = [table("hop", records), table("hop-cpu", records)]
    expect(hop).toContain("hop, 1. noted at aaaaaaa. 2026-01-02, commit aaaaaaa;")
    expect(hop).toContain("one round.")
    expect(cpu).toContain("cpu, 3. noted at bbbbbbb. 2026-01-02, commit bbbbbbb;")
    expect(cpu).toContain("median of 3 rounds.")
    expect(allTables("cluster", records)).toMatch(
      /<sub>noted at aaaaaaa\. noted at bbbbbbb\. hop: .*aaaaaaa;.*one round\. cpu, other: .*bbbbbbb;.*rounds\.<\/sub>/
    )
    const { id: _, ...nameless } = part("cpu", 7)
    expect(() => run("ddddddd", 1, part("hop", 5), nameless as never)).toThrow("measure it again")
  })

  it("[B1] what is kept has each part once, and is the same after it was taken over again", () => {
    for (const [name, { parts }] of Object.entries(read())) {
      expect([name, new Set(parts.map(({ id }) => id)).size]).toEqual([name, parts.length])
      const again = merged(parts, parts)
      expect(again).toEqual(parts)
      const kept = readFileSync(join(root, "docs/benchmarks", `${name}.json`), "utf8")
      expect(printed({ name, parts: again })).toBe(kept)
    }
  })

  it("[B1] the best figure of rivals is bold, whosever it is", () => {
    expect(lines([row("ours", { ms: 1, "calls/s": 10 }), row("other", { ms: 2, "calls/s": 2000 })])).toEqual([
      "| ours | 2.35 | 10 |",
      "| other | **2** | **2,000** |"
    ])
  })

  it("[B1] of equal figures, of texts, and of rows that are no rivals, none is bold", () => {
    expect(lines([row("a", { ms: 1, first: "never" }), row("b", { ms: 1, first: 5 })])).toEqual([
      "| a | 1 | never |",
      "| b | 1 | **5** |"
    ])
    const [own, other] = lines([
      row("10 servers, 1 client", { "p50 ms": 1 }),
      row("1 server, 1 client", { "p50 ms": 2 })
    ], "scale")
    expect([own, other]).toEqual(["| 10 servers, 1 client | 1 |", "| 1 server, 1 client | 2 |"])
  })

  it("[B1 B2] of faults, one table has when each client was back, and what it lost until then; another all of it", () => {
    const [measured] = reduced({
      ...record("recovery", []),
      benchmarks: [{
        name: "recovery",
        figures: [],
        notes: ["of all parts"],
        parts: [
          {
            id: "crash-idle/stdio",
            title: "crash-idle, stdio: the server is killed, twice",
            rows: [
              row("ours", { "ms to a good call": 312, failed: 1, hung: 2, twice: 0, "best in": "time" }),
              row("other", { "ms to a good call": "not in 30 s", failed: 0, hung: 0, twice: 3, "best in": "failed" })
            ],
            beaten: [row("crash-idle, stdio: ours", { figure: "failed", Lifeline: "1", better: "0", of: "other" })]
          },
          {
            id: "crash-idle/http/2026-07-28",
            title: "crash-idle, http, 2026-07-28: it comes back",
            rows: [row("ours", { "ms to a good call": 5 })],
            beaten: []
          }
        ]
      }]
    })
    const records = { recovery: measured! }
    expect(matrix("recovery/stdio", records).split("\n").slice(0, 4)).toEqual([
      "| | crash-idle |",
      "|---|---|",
      "| ours | **0.3 s**, 3 lost |",
      "| other | no, 3 twice |"
    ])
    expect(matrix("recovery/http", records)).toBe("*Not measured yet.*")
    expect(matrix("recovery/http/2026-07-28", records)).toContain("| ours | 0.0 s |")
    const all = allTables("recovery", records)
    expect(all).toContain("| other | not in 30 s | **0** | 0 | 3 |")
    expect(all).toContain("better**\n\n| | figure | Lifeline | better | of |")
    expect(all).toContain("| crash-idle, stdio: ours | failed | 1 | 0 | other |\n\n<sub>of all parts. 2026-01-02")
    const parts = measured!.parts.map((part) => ({ ...part, beaten: [] }))
    expect(allTables("recovery", { recovery: { name: "recovery", parts } })).toContain("**Of the clients")
    expect(matrix("recovery/stdio", {})).toBe("*Not measured yet.*")
  })

  it("[B1] a page says so where a benchmark has no figures yet", () => {
    expect(table("call", {})).toBe("*Not measured yet.*")
    expect(() => table("cal", {})).toThrow("There is no benchmark cal")
  })
})
