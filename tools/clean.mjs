// Removes what builds and checks write; installed dependencies stay.
import { readdirSync, rmSync } from "node:fs"

const root = new URL("../", import.meta.url)
const written = [
  "build",
  "node_modules/.cache",
  ...readdirSync(new URL("packages/", root)).flatMap((directory) =>
    ["dist", "esm", "cjs", "third-party.txt"].map((output) => `packages/${directory}/${output}`)
  )
]
for (const path of written) rmSync(new URL(path, root), { recursive: true, force: true })
