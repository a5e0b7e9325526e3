/**
 * Programs of Windows, run by Wine in a folder of their own.
 */
import { build } from "esbuild"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The `node.exe` of Node.js 20 or 22 for Windows, which Wine runs. */
export const node = process.env["LIFELINE_WINE_NODE"] ?? ""
export const isThere = existsSync(node) && spawnSync("wine", ["--version"]).status === 0

/** A file beside this one. */
export const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const source = (name: string, module = "index"): string => here(`../../../${name}/src/${module}.ts`)

/** A path, as Wine shows it to programs. */
export const windows = (path: string): string => `Z:${path.replaceAll("/", "\\")}`

export interface Wine {
  readonly directory: string
  /** Runs a program of Windows there, to its end. */
  readonly run: (...args: ReadonlyArray<string>) => Promise<void>
  /** The same in a folder of it. */
  readonly runIn: (folder: string, ...args: ReadonlyArray<string>) => Promise<void>
  /** Writes there, as one CommonJS file, a module that lies beside this one, with Lifeline's sources. */
  readonly bundle: (name: string) => Promise<void>
  /** Ends what is left, and removes the folder. */
  readonly end: () => void
}

export const make = async (): Promise<Wine> => {
  const directory = mkdtempSync(join(tmpdir(), "stdio-windows-"))
  const env = {
    ...process.env,
    WINEPREFIX: join(directory, "prefix"),
    WINEARCH: "win64",
    WINEDEBUG: "-all",
    NODE_SKIP_PLATFORM_CHECK: "1"
  }
  const runIn = async (folder: string, ...args: ReadonlyArray<string>): Promise<void> => {
    // A pipe is no console for programs of Windows; a file will do.
    const log = openSync(join(directory, "wine.log"), "a")
    const child = spawn("wine", args, { cwd: join(directory, folder), env, stdio: ["ignore", log, log] })
    await once(child, "exit")
    closeSync(log)
  }
  const run = (...args: ReadonlyArray<string>): Promise<void> => runIn("", ...args)
  await run("winecfg", "-v", "win10")
  return {
    directory,
    run,
    runIn,
    bundle: async (name) => {
      await build({
        entryPoints: [here(`${name}.ts`)],
        outfile: join(directory, `${name}.cjs`),
        bundle: true,
        platform: "node",
        logLevel: "silent",
        alias: {
          "@mcp-lifeline/core": source("core"),
          "@mcp-lifeline/core/internal": source("core", "internal"),
          "@mcp-lifeline/protocol": source("protocol"),
          "@mcp-lifeline/transport-stdio": source("transport-stdio")
        }
      })
    },
    end: () => {
      spawnSync("wineserver", ["-k"], { env })
      rmSync(directory, { recursive: true, force: true, maxRetries: 20 })
    }
  }
}
