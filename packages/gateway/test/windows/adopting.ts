/** Runs `mcp-lifeline adopt` as `plan.json` says, starts the servers of a file after the first time, and writes what came of it to `outcome.json`. */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Host from "./host.js"

export interface Plan {
  readonly commands: ReadonlyArray<ReadonlyArray<string>>
  /** Read after each run. */
  readonly files: ReadonlyArray<string>
  /** One of them, with JSON. */
  readonly started: string
  readonly env: Readonly<Record<string, string>>
}

const main = async (): Promise<void> => {
  const { commands, env, files, started } = JSON.parse(readFileSync("plan.json", "utf8")) as Plan
  const names = new Set(Object.keys(env).map((name) => name.toUpperCase()))
  const others = Object.entries(process.env).filter(([name]) => !names.has(name.toUpperCase()))
  const environment = { ...Object.fromEntries(others), ...env }
  const project = join(process.cwd(), "project")
  const program = join(process.cwd(), "esm", "bin.js")
  const answers: Array<unknown> = []
  const outcomes: Array<unknown> = []
  for (const [index, args] of commands.entries()) {
    const options = { cwd: project, env: environment, encoding: "utf8" } as const
    const { status, stderr, stdout } = spawnSync(process.execPath, [program, "adopt", ...args], options)
    outcomes.push({ status, stdout: stdout + stderr, texts: files.map((file) => readFileSync(file, "utf8")) })
    if (index > 0) continue
    const json = readFileSync(started, "utf8").replaceAll(/\/\/.*/g, "")
    for (const entry of Object.values((JSON.parse(json) as { mcpServers: Record<string, Host.Entry> }).mcpServers)) {
      const host = await Host.start(entry, project, environment)
      answers.push(await host.call())
      await host.close()
    }
  }
  writeFileSync("outcome.json", JSON.stringify({ answers, outcomes }))
}

void main()
