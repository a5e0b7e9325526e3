import { copyFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export const prepare = (directory: string): void => {
  const program = "stdio-fault-server.js"
  copyFileSync(new URL(`../../../testing/src/${program}`, import.meta.url), join(directory, program))
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }))
}
