/** Runs programs of Windows, all as one user. Where Wine is known to do something else, the test says what was seen. */
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sources } from "./sources.js"

export interface Node {
  readonly name: string
  readonly path: string
}

interface Given {
  readonly prefix: string
  readonly nodes: ReadonlyArray<Node>
  readonly optional: string
}

const given = (): Given => {
  const json = process.env["LIFELINE_WINE"]
  if (json === undefined) throw new Error("tests for Windows are run with `pnpm test:release windows [file]`")
  return JSON.parse(json) as Given
}
const { nodes: all, optional, prefix } = given()

/** Each Node.js that a test is to run on: ``for (const node of Wine.nodes) describe(`... (${node.name})`, () => ..)``. */
export const nodes: ReadonlyArray<Node> = all

/** One of them, for tests that are slow and in which the version makes no difference. */
export const oneNode: ReadonlyArray<Node> = all.slice(-1)

const isWindows = process.platform === "win32"

export const windows = (path: string): string => isWindows ? path : `Z:${path.replaceAll("/", "\\")}`

const mends = fileURLToPath(new URL("windows/wine.cjs", import.meta.url))

const mostCharacters = 4000

export interface Wine {
  readonly directory: string
  readonly node: string
  /** Runs a program of Windows there, to its end. Its output goes to `wine.log`. */
  readonly run: (...args: ReadonlyArray<string>) => Promise<void>
  /** What a program has written to a file there; throws with what it has printed if there is none. */
  readonly read: (file: string) => string
  /** Writes there, as one CommonJS file of the same name (`x.ts` becomes `x.cjs`), a module with Lifeline's sources. Resolves with its path. */
  readonly bundle: (entry: URL) => Promise<string>
  /** Removes the folder. What still runs ends with the last test. */
  readonly end: () => void
}

export const bundle = async (
  entry: URL,
  directory: string,
  alias: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const file = fileURLToPath(entry)
  const outfile = join(directory, `${basename(file, ".ts")}.cjs`)
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.18",
    define: { "import.meta.url": "__url" },
    banner: { js: `const __url = require("node:url").pathToFileURL(__filename).href` },
    logLevel: "silent",
    alias: { ...sources, ...alias }
  })
  return outfile
}

/** A folder for programs, which find there what npm installs on Windows only, unless `isBare`. */
export const make = ({ path: node }: Node, { isBare = false } = {}): Wine => {
  const directory = mkdtempSync(join(tmpdir(), "lifeline-windows-"))
  if (!isBare) cpSync(join(optional, "@koromix"), join(directory, "node_modules/@koromix"), { recursive: true })
  const logFile = join(directory, "wine.log")
  const env = isWindows ? process.env : {
    ...process.env,
    WINEPREFIX: prefix,
    WINEARCH: "win64",
    WINEDEBUG: "-all",
    NODE_SKIP_PLATFORM_CHECK: "1",
    NODE_OPTIONS: `--require ${JSON.stringify(windows(mends).replaceAll("\\", "/"))}`
  }
  const run = async (...args: ReadonlyArray<string>): Promise<void> => {
    // A pipe is no console for programs of Windows; a file will do.
    const log = openSync(logFile, "a")
    const [program = "", ...rest] = isWindows ? args : ["wine", ...args]
    const child = spawn(program, rest, { cwd: directory, env, stdio: ["ignore", log, log] })
    await once(child, "exit")
    closeSync(log)
  }
  return {
    directory,
    node,
    run,
    read: (file) => {
      const path = join(directory, file)
      if (existsSync(path)) return readFileSync(path, "utf8")
      const printed = existsSync(logFile) ? readFileSync(logFile, "utf8").slice(-mostCharacters) : ""
      throw new Error(`the program has written no ${file}; it has printed: ${printed}`)
    },
    bundle: (entry) => bundle(entry, directory),
    end: () => rmSync(directory, { recursive: true, force: true, maxRetries: 20 })
  }
}
