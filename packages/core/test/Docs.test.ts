import { describe, expect, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

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

describe("the folders of each package", () => {
  it("have their places in the rows that the linter checks, and those of core and of the gateway on the architecture page", async () => {
    const root = join(packages, "..")
    const config: string = pathToFileURL(join(root, "oxlint.config.mjs")).href
    const { rows } = (await import(config)) as { readonly rows: Readonly<Record<string, ReadonlyArray<string>>> }
    const page = readFileSync(join(root, "docs/internals/architecture.md"), "utf8")
    for (const name of readdirSync(packages)) {
      const folders = readdirSync(join(packages, name, "src"), { recursive: true, withFileTypes: true })
        .flatMap((entry) =>
          entry.isDirectory() ? [relative(join(packages, name, "src"), join(entry.parentPath, entry.name))] : []
        )
      const placed = (rows[name] ?? []).flatMap((row) => row.split(" ")).filter((place) => !/^\.$|\.ts$/.test(place))
      expect([name, placed.toSorted()]).toEqual([name, folders.toSorted()])
      if (name !== "core" && name !== "gateway") continue
      const [, drawn = ""] = new RegExp(`\n## The ${name}, folder by folder\n.*?\n((?: {4}.*\n)+)`, "s").exec(page) ??
        []
      expect(folders.filter((folder) => !folder.includes("/") && !new RegExp(`\\b${folder}\\b`).test(drawn))).toEqual(
        []
      )
    }
  })
})
