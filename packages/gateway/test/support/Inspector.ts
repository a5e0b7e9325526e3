import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

export const programIn = (folder: string): string => join(folder, "cli/build/index.js")

/** Copies it: it reads the version of the package that it is a part of, two folders above. */
export const copy = (folder: string): string => {
  const cli = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector-cli/package.json"))
  mkdirSync(join(folder, "cli"))
  cpSync(join(cli, "build"), join(folder, "cli/build"), { recursive: true })
  cpSync(join(cli, "package.json"), join(folder, "cli/package.json"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "inspector", version: "1.0.3", type: "module" }))
  symlinkSync(dirname(dirname(cli)), join(folder, "node_modules"), "junction")
  return programIn(folder)
}
