/**
 * What a server's process sees of our environment: little, and what is configured (S5).
 */
import { Redacted } from "effect"

const posix = new Set(["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "TMPDIR", "TZ"])

const windows = new Set([
  "APPDATA",
  "COMSPEC",
  "HOMEDRIVE",
  "HOMEPATH",
  "LOCALAPPDATA",
  "PATH",
  "PATHEXT",
  "PROCESSOR_ARCHITECTURE",
  "PROGRAMFILES",
  "SYSTEMDRIVE",
  "SYSTEMROOT",
  "TEMP",
  "TMP",
  "USERNAME",
  "USERPROFILE",
  "WINDIR"
])

const isSafe = (name: string, platform: NodeJS.Platform): boolean =>
  platform === "win32" ? windows.has(name.toUpperCase()) : posix.has(name) || name.startsWith("LC_")

const removeInAnyCase = (env: Record<string, string>, name: string): void => {
  for (const other of Object.keys(env)) if (other.toUpperCase() === name.toUpperCase()) delete env[other]
}

/** Options of `make`. */
export interface Options {
  readonly env?: { readonly [name: string]: string | Redacted.Redacted<string> | null } | undefined
  readonly inheritEnv?: boolean | undefined
}

/** The environment of the child: safe variables of ours, or all of them when asked, and over them what is configured. */
export const make = (
  options: Options,
  ours: NodeJS.ProcessEnv,
  platform: NodeJS.Platform
): Record<string, string> => {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(ours)) {
    if (value === undefined) continue
    // A value that begins so is a shell function, which some shells run on start.
    if (options.inheritEnv === true || (isSafe(name, platform) && !value.startsWith("()"))) result[name] = value
  }
  for (const [name, value] of Object.entries(options.env ?? {})) {
    // `Path` and `PATH` are one variable there, and of two the server would get either.
    if (platform === "win32") removeInAnyCase(result, name)
    if (value === null) delete result[name]
    else result[name] = Redacted.isRedacted(value) ? Redacted.value(value) : value
  }
  return result
}
