import { describe, expect, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"

const packages = fileURLToPath(new URL("../../", import.meta.url))

const exported = (index: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  const visit = (file: string): void => {
    for (
      const [, path] of readFileSync(file, "utf8").matchAll(/^export (?:type )?(?:\*|\{)[^"]*from "(\.[^"]+)\.js"/gms)
    ) {
      const target = normalize(join(dirname(file), `${path}.ts`))
      if (found.has(target)) continue
      found.add(target)
      visit(target)
    }
  }
  visit(index)
  return [...found]
}

describe("published docstrings", () => {
  it("name no id of the contract, which an editor's user cannot look up", () => {
    const ids: Array<string> = []
    for (const name of readdirSync(packages)) {
      const index = join(packages, name, "src/index.ts")
      if (!existsSync(index)) continue
      for (const file of exported(index)) {
        for (const [comment] of readFileSync(file, "utf8").matchAll(/\/\*\*.*?\*\//gs)) {
          const [id] = /\b(?:[KLRHPCSTFEWAGO]\d{1,2})\b/.exec(comment) ?? []
          if (id !== undefined) ids.push(`${file.slice(packages.length)}: ${id}`)
        }
      }
    }
    expect(ids).toEqual([])
  })
})

describe("the folders of core", () => {
  it("each have their place in the order of imports that the linter checks and the architecture page draws", () => {
    const root = join(packages, "..")
    const rules = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as {
      readonly overrides: ReadonlyArray<{ readonly files: ReadonlyArray<string> }>
    }
    const ordered = rules.overrides.flatMap(({ files }) =>
      files.flatMap((glob) => /^packages\/core\/src\/(\w+)\/\*\*$/.exec(glob)?.[1] ?? [])
    )
    const folders = readdirSync(join(packages, "core/src"), { withFileTypes: true })
      .flatMap((entry) => entry.isDirectory() ? [entry.name] : [])
    expect(ordered.toSorted()).toEqual(folders.toSorted())
    const page = readFileSync(join(root, "docs/internals/architecture.md"), "utf8")
    const [, drawn = ""] = /### Which folder of core may import which\n.*?\n((?: {4}.*\n)+)/s.exec(page) ?? []
    expect(folders.filter((name) => !new RegExp(`\\b${name}\\b`).test(drawn))).toEqual([])
  })
})
