/** The pages that are made from data; started as a program, it writes them. */
import { writeFileSync } from "node:fs"
import * as Compatibility from "./compatibility.mjs"
import { fill } from "./page.mjs"
import { root, textOf } from "./proof.mjs"
import * as Robustness from "./robustness.mjs"

/** @returns {ReadonlyArray<{ readonly path: string, readonly text: string }>} */
export const pages = () =>
  Object.entries({ "docs/robustness.md": Robustness.parts, "docs/compatibility.md": Compatibility.parts }).map((
    [path, parts]
  ) => ({
    path,
    text: fill(textOf(path) ?? "", parts())
  }))

if (import.meta.filename === process.argv[1]) {
  for (const { path, text } of pages()) writeFileSync(`${root}${path}`, text)
}
