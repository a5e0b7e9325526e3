import { spawn } from "node:child_process"
import { readFile } from "node:fs/promises"
import { constants } from "node:os"
import { delimiter } from "node:path"
import { fileURLToPath } from "node:url"

/** The root's tools come first, whether pnpm started us or a plain `node`. */
const environment = () => {
  // Windows writes it `Path`, and would choose one of two.
  const { PATH, Path, ...others } = process.env
  const tools = fileURLToPath(new URL("../node_modules/.bin", import.meta.url))
  return { ...others, PATH: [tools, PATH ?? Path].join(delimiter) }
}

/** On Windows, tools of npm are scripts, which need its shell; a program with its path does not. @param {string} command */
const needsShell = (command) => process.platform === "win32" && command !== process.execPath

/**
 * The exit code that shells give to a program which a signal has ended.
 *
 * @param {NodeJS.Signals} signal
 */
export const signalled = (signal) => 128 + constants.signals[signal]

/**
 * Runs a program with our terminal and resolves with its exit code. Aborting the signal ends the program.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd?: string, readonly shell?: boolean, readonly signal?: AbortSignal }} [options]
 * @returns {Promise<number>}
 */
export const run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit"],
      env: environment(),
      shell: needsShell(command),
      ...options
    })
    child.once("error", (error) => error.name === "AbortError" ? undefined : reject(error))
    child.once("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : signalled(signal))))
  })

/**
 * Runs a program quietly, and resolves with its exit code and what it wrote.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd?: string, readonly env?: NodeJS.ProcessEnv, readonly shell?: boolean }} [options]
 * @returns {Promise<{ readonly code: number | null, readonly stdout: string, readonly stderr: string, readonly both: string }>}
 */
export const output = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(),
      shell: needsShell(command),
      ...options
    })
    const written = { stdout: "", stderr: "", both: "" }
    for (const name of /** @type {const} */ (["stdout", "stderr"])) {
      child[name].on("data", (/** @type {Buffer} */ chunk) => {
        written[name] += chunk.toString()
        written.both += chunk.toString()
      })
    }
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, ...written }))
  })

/**
 * Runs a program quietly. Resolves with what it wrote; rejects with the same when it fails.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd?: string, readonly env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<string>}
 */
export const capture = async (command, args, options) => {
  const { both, code } = await output(command, args, options)
  if (code === 0) return both
  throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${both}`)
}

/**
 * Works on all items, so many at a time.
 *
 * @template A
 * @param {ReadonlyArray<A>} items
 * @param {number} limit
 * @param {(item: A) => Promise<unknown>} work
 */
export const each = async (items, limit, work) => {
  const left = [...items]
  const row = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: limit }, row))
}

/**
 * The command that runs pnpm with these arguments: the one that has started us, or the pinned version.
 *
 * @param {ReadonlyArray<string>} args
 * @param {string} cwd
 * @returns {Promise<[command: string, args: ReadonlyArray<string>]>}
 */
export const pnpmCommand = async (args, cwd) => {
  // pnpm tells its scripts how to run it again. A plain `node tools/..` is not told, and gets it from npx.
  const running = process.env["npm_execpath"]
  if (running !== undefined && /pnpm[^/]*$/.test(running)) return [process.execPath, [running, ...args]]
  const { packageManager } = JSON.parse(await readFile(`${cwd}/package.json`, "utf8"))
  return ["npx", ["--yes", packageManager, ...args]]
}

/**
 * Runs pnpm quietly, as `capture` does.
 *
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd: string }} options
 */
export const pnpm = async (args, { cwd }) => capture(...await pnpmCommand(args, cwd), { cwd })

/**
 * Starts a program and resolves once `read` finds something in what it has written, with that. Rejects when the program ends before. Its
 * standard input stays open for as long as we run.
 *
 * @template A
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {(text: string) => A | undefined} read
 * @param {{ readonly cwd?: string, readonly env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ readonly found: A, readonly end: () => Promise<number | null> }>} `end` sends SIGTERM, and resolves with the exit code
 */
export const start = (command, args, read, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: environment(), ...options })
    /** @type {Promise<number | null>} */
    const ended = new Promise((done) => child.once("exit", done))
    const end = () => {
      child.kill("SIGTERM")
      return ended
    }
    let text = ""
    const collect = (/** @type {Buffer} */ chunk) => {
      text += chunk.toString()
      const found = read(text)
      if (found !== undefined) resolve({ found, end })
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.once("error", reject)
    child.once("close", (code) => reject(new Error(`${command} ${args.join(" ")} ended with ${code}: ${text}`)))
  })
