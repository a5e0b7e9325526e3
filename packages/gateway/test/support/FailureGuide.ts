import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

/** A file of tests, and the beginning of a title in it. */
export type Elsewhere = { readonly file: string; readonly title: string }

/** How a failure is proved: by a test of its own, by another one, or not, and why. */
export type Row = (() => Promise<void>) | Elsewhere | string

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")

const test = (file: string): string =>
  ["", ".sized", ".slow"].map((size) => `../${file}${size}.test.ts`)
    .filter((path) => existsSync(new URL(path, import.meta.url))).map(read).join("")

const failuresOf = (section: string): ReadonlyArray<string> => {
  const [, text = ""] = read("../../../../docs/failures.md").split(`\n## ${section}\n`)
  const [own = ""] = text.split("\n## ")
  return own.split(/^### /m).slice(1).map((failure) => {
    assert.include(failure, "\n- **You see**: ")
    return failure.slice(0, failure.indexOf("\n"))
  })
}

export const play = (section: string, rows: Readonly<Record<string, Row>>): void => {
  describe(`the guide to failures through wrap: ${section}`, () => {
    it("[W4] has each fault of the guide", () => {
      assert.deepEqual(Object.keys(rows).toSorted(), failuresOf(section).toSorted())
      for (const row of Object.values(rows)) {
        if (typeof row === "object") assert.include(test(row.file), `"${row.title}`)
      }
    })

    describe.concurrent("here", () => {
      for (const [fault, row] of Object.entries(rows)) {
        if (typeof row === "function") it(`[W4] ${fault}`, row)
      }
    })
  })
}
