/** Runs `mcp-lifeline wrap --watch`, changes the files of the server, and writes what the server answers after each change. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Host from "./host.js"

/** The option; a folder; the file to write to. */
const [option = "", folder = "", to = ""] = process.argv.slice(2)
/** How long a change may take, in milliseconds. */
const limit = 30_000

const main = async (): Promise<void> => {
  const source = readFileSync("tool.cjs", "utf8")
  const file = join(folder, "server.cjs")
  const write = (version: string) => writeFileSync(file, source.replace(`"first"`, `"${version}"`))
  mkdirSync(folder, { recursive: true })
  write("first")
  const args = [join("esm", "bin.js"), "wrap", option, "--", process.execPath, file]
  const host = await Host.start({ command: process.execPath, args }, ".", process.env)
  const answers: Array<unknown> = [await host.call()]
  const until = async (version: string): Promise<void> => {
    const end = Date.now() + limit
    let answer = await host.call()
    while (JSON.stringify(answer) !== JSON.stringify([version]) && Date.now() < end && !host.hasEnded()) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      answer = await host.call()
    }
    answers.push(answer)
  }
  write("written")
  await until("written")
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  write("again")
  await until("again")
  await host.close()
  writeFileSync(to, JSON.stringify({ answers, printed: host.printed() }))
}

void main()
