// Removes what builds and checks write; installed dependencies stay.
import { readdirSync, rmSync } from "node:fs"

const root = new URL("../", import.meta.url)
const written = [
  "build",
  "node_modules/.cache",
  ...readdirSync(new URL("packages/", root)).map((directory) => `packages/${directory}/dist`)
]
for (const path of written) rmSync(new URL(path, root), { recursive: true, force: true })
