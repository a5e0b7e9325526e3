import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { signer } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually, kill } from "../../../testing/test/support/Processes.js"

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** A browser that notes what it is opened at; with `hold` a person would have to go on. */
export const browser = (hold: boolean) =>
  Effect.map(folder, (path) => {
    const file = join(path, "opened")
    return {
      command: [process.execPath, fixture("browser.mjs"), file, ...(hold ? ["--hold"] : [])].join(" "),
      opened: (): ReadonlyArray<string> => existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []
    }
  })

export interface Line {
  readonly _tag?: string
  readonly address?: string
  readonly detail?: string
  readonly backend?: string
  readonly called?: boolean
  readonly message?: string
}

export const start = (options: { readonly url: string; readonly state: string; readonly browser?: string }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { browser, state, url } = options
      const child = spawn(process.execPath, [signer, url, state, ...(browser === undefined ? [] : [browser])])
      let [stdout, stderr] = ["", ""]
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
      child.stdin.on("error", () => {})
      const closed = new Promise<void>((resolve) => child.once("close", () => resolve()))
      const lines = (): ReadonlyArray<Line> => stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Line)
      let read = 0
      return {
        pid: child.pid ?? 0,
        lines,
        stderr: () => stderr,
        closed: Effect.promise(() => closed),
        next: (is: (line: Line) => boolean) =>
          eventually(() => {
            const found = lines().findIndex((line, index) => index >= read && is(line))
            if (found !== -1) read = found + 1
            else if (child.exitCode !== null) throw new Error(`the signer ended: ${stdout}${stderr}`)
            return lines()[found]
          }),
        call: () => void child.stdin.write("call\n"),
        end: () => void child.stdin.end()
      }
    }),
    ({ closed, pid }) => Effect.zipRight(Effect.sync(() => kill(pid)), closed)
  )

export type Signer = Effect.Effect.Success<ReturnType<typeof start>>

export const call = (signer: Signer): Effect.Effect<Line> => {
  signer.call()
  return signer.next(({ called }) => called !== undefined)
}

export const visit = (address: string) =>
  Effect.tryPromise(async () => {
    const answer = await fetch(address)
    return { status: answer.status, text: await answer.text() }
  })
