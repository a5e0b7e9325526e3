import { Redacted } from "effect"
import { isInherited } from "./inherited.js"

const removeInAnyCase = (env: Record<string, string>, name: string): void => {
  for (const other of Object.keys(env)) if (other.toUpperCase() === name.toUpperCase()) delete env[other]
}

export interface Options {
  readonly env?: { readonly [name: string]: string | Redacted.Redacted<string> | null } | undefined
  readonly inheritEnv?: boolean | undefined
}

/** What every server sees, or all of ours, and over that what is configured (S5). */
export const make = (
  options: Options,
  ours: NodeJS.ProcessEnv,
  platform: NodeJS.Platform
): Record<string, string> => {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(ours)) {
    if (value === undefined) continue
    // Such a value is a shell function, which some shells run on start.
    if (options.inheritEnv === true || (isInherited(name, platform) && !value.startsWith("()"))) result[name] = value
  }
  for (const [name, value] of Object.entries(options.env ?? {})) {
    // `Path` and `PATH` are one variable there, and of two the server would get either.
    if (platform === "win32") removeInAnyCase(result, name)
    if (value === null) delete result[name]
    else result[name] = Redacted.isRedacted(value) ? Redacted.value(value) : value
  }
  return result
}
