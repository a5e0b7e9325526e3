import { describe, expect, it } from "@effect/vitest"
import { fill, table } from "../../../../tools/records/page.mjs"
import { pages } from "../../../../tools/records/pages.mjs"
import { command, problemOf, textOf } from "../../../../tools/records/proof.mjs"
import { problems, read, ways } from "../../../../tools/records/robustness.mjs"

const here = "packages/testing/test/records/Robustness.test.ts"

describe("the pages of records", () => {
  it("[B4] are what their data gives: run pnpm build records", () => {
    for (const { path, text } of pages()) expect({ path, text: textOf(path) }).toEqual({ path, text })
  })

  it("[B4] have their generated parts between marks, and a part without marks is refused", () => {
    const page = "a\n<!-- begin x: made -->\nold\n<!-- end x -->\nb\n"
    const filled = "a\n<!-- begin x: made -->\n\nnew $& $1\n\n<!-- end x -->\nb\n"
    expect(fill(page, { x: "new $& $1\n" })).toBe(filled)
    expect(fill(filled, { x: "new $& $1" })).toBe(filled)
    expect(() => fill(page, { y: "" })).toThrow("no part y")
    expect(table(["a", "b"], [["1 | 2\n3", 4]])).toBe("| a | b |\n| --- | --- |\n| 1 \\| 2 3 | 4 |")
  })
})

describe("the robustness record", () => {
  it("[B4] has faults with proofs that exist, for promises that exist", () => {
    const { faults } = read()
    expect(problems(faults)).toEqual([])
    expect(faults.length).toBeGreaterThanOrEqual(60)
  })

  it("[B4] says what is wrong with a fault", () => {
    const [good] = read().faults
    if (good === undefined) throw new Error("no faults")
    const of = (changes: Partial<typeof good>) => problems([{ ...good, ...changes }])
    expect(of({})).toEqual([])
    expect(of({ foundBy: "luck" })[0]).toContain("luck is no way")
    expect(of({ mended: "today" })[0]).toContain("seven digits")
    expect(of({ contract: ["Q1"] }).join()).toContain("Q1 is not in the contract")
    expect(of({ proof: { test: "packages/none.test.ts", title: "x" } })[0]).toContain(
      "there is no packages/none.test.ts"
    )
    expect(of({ proof: { ...good.proof, title: "what no title says" } })[0]).toContain("no title in")
    expect(problems([good, good])[0]).toContain("is there twice")
    for (const way of read().faults.map(({ foundBy }) => foundBy)) expect(Object.keys(ways)).toContain(way)
  })

  it("[B4] a proof is a line with the words and with one of the promises before them, and a command that finds it", () => {
    const proof = { test: here, title: "a proof is a line with the words" }
    expect(problemOf(proof, ["B4", "C3"])).toBeUndefined()
    expect(problemOf(proof, ["C3"])).toContain("names none of C3")
    expect(command({ test: "a.test.ts", title: '[C19:real] ${wire}: it (a "b") goes' })).toBe(
      'npx vitest run a.test.ts -t "..wire.: it .a .b.. goes"'
    )
  })
})
