/** A program like `npx`, which downloads a server before it starts it, and says so on stderr, which it fails without; the test says when the download is over. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const program = `#!${process.execPath}
const { appendFileSync, existsSync, writeFileSync } = require("node:fs")
const { spawn } = require("node:child_process")
const { dirname } = require("node:path")
const folder = dirname(__dirname)
const [command, ...args] = process.argv.slice(2).filter((word) => !["-y", "run", "dlx", "exec", "tool"].includes(word))
appendFileSync(folder + "/starts", process.pid + "\\n")
const timer = setInterval(() => {
  process.stderr.write("downloading\\n")
  appendFileSync(folder + "/said", ".")
  if (!existsSync(folder + "/go")) return
  clearInterval(timer)
  writeFileSync(folder + "/installed", "")
  spawn(command, args, { stdio: "inherit" }).on("exit", (code) => process.exit(code ?? 1))
}, 10)
`

export const make = (name: string) => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-installer-"))
  const command = join(folder, "bin", name)
  mkdirSync(dirname(command))
  writeFileSync(command, program)
  chmodSync(command, 0o755)
  return {
    command,
    starts: (): ReadonlyArray<number> => {
      const file = join(folder, "starts")
      return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map(Number) : []
    },
    said: (): number => readFileSync(join(folder, "said")).length,
    download: () => writeFileSync(join(folder, "go"), ""),
    isInstalled: () => existsSync(join(folder, "installed")),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true })
  }
}
