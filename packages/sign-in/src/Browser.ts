import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Effect } from "effect"
import { spawn } from "node:child_process"

export interface Browser {
  /** Succeeds with whether that worked. */
  readonly open: (address: string) => Effect.Effect<boolean>
}

type Command = readonly [string, ...ReadonlyArray<string>]

/** `$BROWSER`: commands separated by colons, each with `%s` for the address or the address at its end. */
const named = (browser: string, address: string): ReadonlyArray<Command> =>
  browser.split(":").flatMap((one) => {
    const [command, ...args] = one.trim().split(/\s+/)
    if (command === undefined || command === "") return []
    return [
      args.includes("%s") ? [command, ...args.map((arg) => arg === "%s" ? address : arg)] : [command, ...args, address]
    ]
  })

/**
 * Named by its path: a name alone is looked for in the current folder first, where anybody's files are. No shell, so that `&`, `%` and `^` are as
 * they are; `explorer` reads commas, and PowerShell is slow and forbidden on some machines.
 */
const onWindows = (env: NodeJS.ProcessEnv, address: string): Command => {
  const name = Object.keys(env).find((one) => one.toUpperCase() === "SYSTEMROOT") ?? ""
  // This form has neither quotes nor white space, which browsers on Windows might take for further arguments.
  const { href } = new URL(address)
  return [`${env[name] || "C:\\Windows"}\\System32\\rundll32.exe`, "url.dll,FileProtocolHandler", href]
}

/** The best first. No shell sees the address. */
const commands = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv, address: string): ReadonlyArray<Command> => {
  const browser = env["BROWSER"]
  // On Windows a path in it has a colon of its own, and nobody sets it.
  if (browser !== undefined && browser !== "" && platform !== "win32") return named(browser, address)
  if (platform === "darwin") return [["open", address]]
  if (platform === "win32") return [onWindows(env, address)]
  return [["xdg-open", address], ["gio", "open", address], ["x-www-browser", address], ["sensible-browser", address]]
}

/** Helpers end at once, browsers that they became stay: one that runs for so long works. */
const startTimeout = 3_000

const run = ([command, ...args]: Command): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    // Its output is not ours, and it outlives us.
    const child = spawn(command, args, { stdio: "ignore", detached: true, windowsHide: true })
    const timer = setTimeout(() => resume(Effect.succeed(true)), startTimeout)
    const end = (ok: boolean) => {
      clearTimeout(timer)
      resume(Effect.succeed(ok))
    }
    child.once("error", () => end(false))
    child.once("exit", (code) => end(code === 0))
    child.unref()
  })

export const system = (env: NodeJS.ProcessEnv): Browser => ({
  open: (address) =>
    Effect.gen(function*() {
      if (!/^https?:\/\//.test(address) || parseUrl(address) === undefined) return false
      for (const command of commands(process.platform, env, address)) {
        if (yield* run(command)) return true
      }
      return false
    })
})

const isSet = (value: string | undefined): boolean =>
  value !== undefined && !["", "0", "false"].includes(value.toLowerCase())

/** `undefined`: the address is only shown. `asked`: what the user says; otherwise only for somebody at a `terminal`. Never under CI. */
export const choose = (
  asked: boolean | undefined,
  terminal: boolean,
  env: NodeJS.ProcessEnv
): Browser | undefined => (asked ?? terminal) && !isSet(env["CI"]) ? system(env) : undefined
