/** Runs `mcp-lifeline check mcp.json --connect`, and writes to `printed.txt` what it has printed. */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"

const args = ["esm\\bin.js", "check", "mcp.json", "--connect"]
const { stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
writeFileSync("printed.txt", stdout + stderr)
