import { isLifeline } from "@mcp-lifeline/config/LifelineCommand"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { within } from "@mcp-lifeline/state/within"
import { Effect } from "effect"
import { realpath, stat } from "node:fs/promises"
import { posix, win32 } from "node:path"
import { shellWord } from "../text/shellWord.js"
import { version } from "../text/Version.js"

export interface Launchers {
  readonly user: Launcher
  /** Others may have the project, too, with the program in another place. */
  readonly project: Launcher
  readonly typed: string
}

export type Launcher = readonly [string, ...ReadonlyArray<string>]

export interface Running {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly execPath: string
  /** The file of the program, as it was started. */
  readonly script: string
  readonly version: string
}

export const running = (): Running => ({
  platform: process.platform,
  env: process.env,
  execPath: process.execPath,
  script: process.argv[1] ?? "",
  version
})

/** Of a package that has not been published. */
const unpublished = "0.0.0"

/** Where npx, `pnpm dlx` and bunx keep programs that nobody has installed. They remove them again. */
const temporary = /[/\\](_npx|dlx|dlx-[^/\\]+|bunx-[^/\\]+)[/\\]/

/** `undefined` if there is no file, or its file system does not answer. */
const real = (path: string): Effect.Effect<string | undefined> =>
  Effect.promise(() =>
    within(path, async () => (await stat(path)).isFile() ? await realpath(path) : undefined).catch(() => undefined)
  )

/** What the text of a package manager's script for Windows starts, from the script's folder. */
export const programIn = (text: string): string | undefined =>
  /%~?dp0%?\\{1,2}([^"%\r\n]{1,1000}\.js)"/i.exec(text)?.[1]

const startedBy = (shim: string): Effect.Effect<string | undefined> =>
  Effect.gen(function*() {
    const path = programIn(yield* Effect.orElseSucceed(UserFile.text(shim), () => ""))
    return path === undefined ? undefined : yield* real(win32.join(win32.dirname(shim), path))
  })

interface Found {
  readonly path: string
  readonly file: string | undefined
}

const inPath = ({ env, platform }: Running, name: string): Effect.Effect<Found | undefined> =>
  Effect.gen(function*() {
    const isWindows = platform === "win32"
    const { delimiter, isAbsolute, join } = isWindows ? win32 : posix
    const variable = Object.keys(env).find((key) => isWindows ? key.toUpperCase() === "PATH" : key === "PATH")
    for (const folder of (env[variable ?? "PATH"] ?? "").split(delimiter)) {
      if (!isAbsolute(folder)) continue
      const path = join(folder, isWindows ? `${name}.cmd` : name)
      const file = yield* real(path)
      if (file !== undefined) return { path, file: isWindows ? yield* startedBy(path) : file }
    }
    return undefined
  })

/** What is installed, or with npx the published version that npx has brought. */
export const find = (program: Running): Effect.Effect<Launchers> =>
  Effect.gen(function*() {
    const { execPath, platform, script, version } = program
    const typed = (words: Launcher): string => words.map((word) => shellWord(word, platform)).join(" ")
    // On Windows, these are scripts, which only the shell can start.
    const byName = (...words: Launcher): Launcher => platform === "win32" ? ["cmd", "/c", ...words] : words
    if (temporary.test(script) && version !== unpublished) {
      const words: Launcher = ["npx", "-y", `mcp-lifeline@${version}`]
      const npx = byName(...words)
      return { user: npx, project: npx, typed: typed(words) }
    }
    const file = (yield* real(script)) ?? script
    const isInPath = (yield* inPath(program, "mcp-lifeline"))?.file === file
    // The path of a link stays the same when Node.js is updated, that of the program itself may not.
    const node = platform === "win32" ? undefined : yield* inPath(program, "node")
    const absolute: Launcher = [node?.file === execPath ? node.path : execPath, isLifeline(script) ? script : file]
    const named = byName("mcp-lifeline")
    return {
      // A desktop host on macOS or Linux may have another PATH than the shell; on Windows it has the same.
      user: isInPath && platform === "win32" ? named : absolute,
      project: isInPath ? named : absolute,
      typed: isInPath ? "mcp-lifeline" : typed(absolute)
    }
  })
