import { StdioFaultServer } from "@mcp-lifeline/testing"
import { build } from "esbuild"
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, it } from "vitest"
import { published } from "../../testing/test/support/Built.js"
import * as Everything from "./fixtures/Everything.js"

const folder = fileURLToPath(new URL("programs/", import.meta.url))
const require = createRequire(import.meta.url)
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc")

const names = ["inventory", "agent", "responder"] as const
type Name = typeof names[number]

const apply = async (name: Name): Promise<string> => {
  const [program, diff] = await Promise.all([
    readFile(`${folder}${name}.ts`, "utf8"),
    readFile(`${folder}${name}.diff`, "utf8")
  ])
  const [, line] = /^--- .*\n\+\+\+ .*\n@@ -(\d+) \+\1 @@\n-.*\n\+.*\n$/.exec(diff) ?? assert.fail("not one line")
  const [removed, added] = diff.split("\n").slice(3).map((text) => text.slice(1))
  const lines = program.split("\n")
  assert.strictEqual(lines[Number(line) - 1], removed)
  return lines.with(Number(line) - 1, added ?? "").join("\n")
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const node = (args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, timeout: 170_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })

const run = (file: string, server: object): Promise<Ended> => node([...published, file, JSON.stringify(server)])

const source = (name: Name): string => `${folder}build/${name}.ts`
const original = (name: Name): string => `${folder}build/original/${name}.js`
const changed = (name: Name): string => `${folder}build/changed/${name}.js`

const crashing = (journal: string) =>
  StdioFaultServer.command({ journal, crashes: [{ at: "call", nth: 3, point: "received", signal: "SIGKILL" }] })

const withDirectory = async (use: (directory: string) => Promise<void>): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "lifeline-"))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

describe("programs for the official Client", () => {
  beforeAll(async () => {
    await mkdir(`${folder}build`, { recursive: true })
    for (const name of names) await writeFile(source(name), await apply(name))
    // Without their types, and nothing else: Node.js runs them as they are.
    const originals = [...names, "official"].map((name) => `${folder}${name}.ts`)
    await build({ entryPoints: originals, outdir: `${folder}build/original`, target: "node20.18" })
    await build({ entryPoints: names.map(source), outdir: `${folder}build/changed`, target: "node20.18" })
  })

  for (const name of names) {
    it(`[F2:real] ${name} says the same when one line is changed`, async () => {
      const server = name === "agent" ? StdioFaultServer.command() : Everything.stdio
      const [before, after] = await Promise.all([run(original(name), server), run(changed(name), server)])
      assert.deepInclude(before, { code: 0, stderr: "" })
      assert.isAbove(before.stdout.split("\n").length, 4)
      assert.deepEqual(after, before)
    })
  }

  it("[F2:real] inventory says the same over HTTP", async () => {
    await using server = await Everything.HttpServer.start()
    const [before, after] = await Promise.all(
      [original("inventory"), changed("inventory")].map((file) => run(file, { url: server.url }))
    )
    assert.deepInclude(before!, { code: 0, stderr: "" })
    assert.deepEqual(after, before)
  })

  it("[F2:real] agent ends with its server when that dies, and with the line changed it does not", () =>
    withDirectory(async (directory) => {
      const lost = await run(original("agent"), crashing(join(directory, "one")))
      assert.notStrictEqual(lost.code, 0)
      assert.include(lost.stderr, "Connection closed")
      const kept = await run(changed("agent"), crashing(join(directory, "two")))
      assert.deepInclude(kept, { code: 0, stderr: "" })
      assert.match(kept.stdout, /^(\w+: something\n){4}done\n$/)
      assert.strictEqual(StdioFaultServer.count(join(directory, "two"), "start"), 2)
    }))

  it("[F2:types] with the line changed they are still accepted by the compiler", async () => {
    const options =
      "--ignoreConfig --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --target es2023 --module nodenext"
    const { stdout } = await node([tsc, ...options.split(" "), "--types", "node", ...names.map(source)])
    assert.strictEqual(stdout, "")
  })
})
