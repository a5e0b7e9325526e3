import { Array } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { everything, published } from "../../testing/test/support/Built.js"
import * as Everything from "./fixtures/Everything.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const program = fileURLToPath(new URL("fixtures/program.mjs", import.meta.url))

/** How long after its last line a program may take to end. Generous: a busy machine is no bug, an open handle is. */
const limit = 60_000

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly lingered: boolean
}

const run = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [
      ...published,
      "--unhandled-rejections=strict",
      "--trace-warnings",
      program,
      ...args
    ], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    let lingered = false
    let timer: ReturnType<typeof setTimeout> | undefined
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString()
      clearTimeout(timer)
      timer = setTimeout(() => {
        lingered = true
        child.kill("SIGKILL")
      }, limit)
    })
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr, lingered })
    })
  })

const programs = JSON.parse((await run()).stdout || "[]") as ReadonlyArray<string>

const groups = Array.chunksOf(programs, 4)

describe.concurrent("a program with the published package", () => {
  let server: Everything.HttpServer
  beforeAll(async () => {
    assert.isAtLeast(programs.length, 10)
    server = await Everything.HttpServer.start()
  })
  afterAll(() => server.kill())

  for (const names of groups) {
    it(`[F1 F6] ends by itself, without a word on stderr: ${names.join("; ")}`, () =>
      withDirectory(async (directory) => {
        const down = `http://127.0.0.1:${await Everything.freePort()}/mcp`
        const journal = join(directory, "journal")
        const ended = await run(names.join("|"), server.url, down, journal, everything)
        assert.deepEqual(ended, {
          code: 0,
          stdout: names.map((name) => `${name}\n`).join(""),
          stderr: "",
          lingered: false
        })
        assert.deepEqual(Everything.processes(journal).filter(Everything.isAlive), [])
      }))
  }
})
