import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync, realpathSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { compile } from "../../../tools/vitest/built.js"
import { stateFolder } from "./support/Host.js"
import * as Program from "./support/Program.js"
import { describe, expect, it, test } from "./support/vitest.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const manager = fileURLToPath(new URL("support/manager.mjs", import.meta.url))
const script = join(root, "tools/start.mjs")

/** What is built is what is started: other tests read it. */
const started = ["--no-build", "--port", "0"]

/** Where the package manager is: the one that runs the tests, or the same version as npx installs it. */
const pnpmPath = (): string => {
  const path = process.env["npm_execpath"]
  if (path !== undefined && /pnpm[^/\\]*$/.test(path)) return path
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, string>
  const where = ["--yes", "--package", packageManager ?? "pnpm", "--", "sh", "-c", "command -v pnpm"]
  return realpathSync(execFileSync("npx", where, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim())
}

/** Without npx in between: it dies of SIGINT itself, and warns of the user's own configuration of npm. */
const pnpm = (): readonly [string, string] => [process.execPath, pnpmPath()]

const pnpmStart = Effect.gen(function*() {
  const inner = ["--dir", root, "--config.verify-deps-before-run=false", "start", ...started]
  const program = yield* Program.start(inner, {}, pnpm())
  yield* Effect.all([Program.processOf(program, "every-stdio"), Program.processOf(program, "every-http")])
  return { program, all: Program.family(program.pid) }
})

describe("pnpm start", () => {
  test.scopedLive("[G7:start] Ctrl+C ends it quietly with exit code 0, and no process of it is left", function*() {
    const { all, program } = yield* pnpmStart
    program.signalGroup("SIGINT")
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
    expect(Program.complaints(program)).toEqual([])
    // A line on a server that was read at this moment may follow.
    expect(program.stdout()).toMatch(/Shutting down\n(?:[\d:]+ every-.*\n)*$/)
    yield* Effect.forEach(all, Program.gone)
  })

  test.scopedLive("[G7:start] the end of the outermost package manager ends the gateway, and no process of it is left", function*() {
    const inner = [manager, "pnpm start", process.execPath, script, ...started]
    const shell = [process.execPath, manager] as const
    const program = yield* Program.start(["npm exec pnpm start", process.execPath, ...inner], {}, shell)
    yield* Effect.all([Program.processOf(program, "every-stdio"), Program.processOf(program, "every-http")])
    const all = Program.family(program.pid)
    yield* Effect.addFinalizer(() => Effect.sync(() => all.forEach(Program.kill)))
    program.signal("SIGTERM")
    yield* Effect.forEach(all, Program.gone)
    yield* program.ended
    expect(program.stdout()).toContain("Shutting down")
  })
})

describe("the build before the tests", () => {
  it("a source that does not compile is reported with the words of the compiler", async () => {
    using folder = stateFolder()
    const config = { compilerOptions: { strict: true, noEmit: true } }
    writeFileSync(join(folder.path, "tsconfig.json"), JSON.stringify(config))
    writeFileSync(join(folder.path, "broken.ts"), 'export const port: number = "7332"\n')
    await expect(compile(folder.path)).rejects.toThrow(/broken\.ts.*error TS2322/s)
  })

  test.scopedLive("a program that ends before it has printed what is waited for fails its test at once, with its output", function*() {
    const script = "console.error('no such port'); process.kill(process.pid, 'SIGTERM')"
    const program = yield* Program.start(["-e", script], {}, [process.execPath])
    const exit = yield* Effect.exit(program.prints(/Serving/))
    expect(String(exit)).toContain("no such port")
  })
})
