/** The pages that are made from data, as they should be. */
import * as Compatibility from "./compatibility.mjs"
import { fill } from "./page.mjs"
import { textOf } from "./proof.mjs"
import * as Robustness from "./robustness.mjs"

/** @returns {ReadonlyArray<{ readonly path: string, readonly text: string }>} */
export const pages = () =>
  Object.entries({ "docs/robustness.md": Robustness.parts, "docs/compatibility.md": Compatibility.parts }).map((
    [path, parts]
  ) => ({
    path,
    text: fill(textOf(path) ?? "", parts())
  }))
