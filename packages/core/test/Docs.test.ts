import { expect, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const packages = fileURLToPath(new URL("../../", import.meta.url))

const reexports = /^export (?:type )?(?:\*|\{)[^"]*from "(\.[^"]+)\.js"/gms

const exported = (file: string, found = new Set<string>()): ReadonlySet<string> => {
  for (const [, path] of readFileSync(file, "utf8").matchAll(reexports)) {
    const target = normalize(join(dirname(file), `${path}.ts`))
    if (!found.has(target)) exported(target, found.add(target))
  }
  return found
}

it("published docstrings name no id of the contract, which an editor's user cannot look up", () => {
  const files = readdirSync(packages).map((name) => join(packages, name, "src/index.ts")).filter(existsSync).flatMap((
    index
  ) => [...exported(index)])
  const ids = files.flatMap((file) =>
    Array.from(readFileSync(file, "utf8").matchAll(/\/\*\*.*?\*\//gs), ([comment]) => {
      const [id] = /\b(?:[KLRHPCSTFEWAGO]\d{1,2})\b/.exec(comment) ?? []
      return `${file.slice(packages.length)}: ${id}`
    }).filter((found) => !found.endsWith(": undefined"))
  )
  expect(ids).toEqual([])
})

it.each(readdirSync(packages))(
  "the folders of %s stand in the rows of the linter, and of the architecture page",
  async (name) => {
    const root = new URL("..", pathToFileURL(packages))
    const { rows } = (await import(new URL("oxlint.config.mjs", root).href)) as Record<
      "rows",
      Record<string, Array<string>>
    >
    const [source, page] = [
      join(packages, name, "src"),
      readFileSync(new URL("docs/internals/architecture.md", root), "utf8")
    ]
    const folders = readdirSync(source, { recursive: true, withFileTypes: true }).filter((one) => one.isDirectory())
      .map((one) => relative(source, join(one.parentPath, one.name)).replaceAll("\\", "/"))
    const placed = (rows[name] ?? []).flatMap((row) => row.split(" ")).filter((place) => !/^\.$|\.ts$/.test(place))
    expect(placed.toSorted()).toEqual(folders.toSorted())
    const [, drawn] = new RegExp(`## The ${name}, folder by folder\n.*?\n((?: {4}.*\n)+)`, "s").exec(page) ?? []
    const missing = folders.filter((one) =>
      drawn !== undefined && !new RegExp(`\\b${one.split("/")[0]}\\b`).test(drawn)
    )
    expect([missing, drawn !== undefined]).toEqual([[], ["core", "gateway"].includes(name)])
  }
)
