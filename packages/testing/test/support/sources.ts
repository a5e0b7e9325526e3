import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const packages = new URL("../../../", import.meta.url)

/** The source of each entry point of each package, by the name under which programs import it: tests need no build. */
export const sources: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(packages).flatMap((directory) => {
    const root = new URL(`${directory}/`, packages)
    const { exports, name } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as Manifest
    return Object.entries(exports).flatMap(([entry, target]) =>
      typeof target === "string" ? [] : [[
        `${name}${entry.slice(1)}`,
        fileURLToPath(new URL(target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts"), root))
      ]]
    )
  })
)
