import { within } from "@mcp-lifeline/state/within"
import { Effect } from "effect"
import { realpath, stat } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import type { Syntax } from "../document/Syntax.js"
import type { Adopt } from "./Arguments.js"
import * as ConfigFile from "./ConfigFile.js"
import { type Section, sections } from "./Entries.js"
import { formatOf, type Host, type Machine, places } from "./Hosts.js"

export interface Target {
  readonly path: string
  readonly host: Host | undefined
  readonly sections: ReadonlyArray<Section>
  readonly isNamed: boolean
  /** The host writes this file while it runs. */
  readonly isLive: boolean
  /** Undefined for files of the user. */
  readonly project: string | undefined
}

export interface Lead {
  /** If there are links below the project or the home folder. */
  readonly to: string | undefined
  readonly isOutside: boolean
}

export const machine = (): Machine => ({
  platform: process.platform,
  env: process.env,
  home: homedir(),
  cwd: process.cwd()
})

/** Behind all symbolic links, or the path itself if it does not exist. */
const real = (path: string): Effect.Effect<string> =>
  Effect.promise(() => within(path, () => realpath(path)).catch(() => path))

const isWithin = (folder: string, path: string): boolean => {
  const way = relative(folder, path)
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

const isSame = (one: string, other: string): boolean =>
  process.platform === "linux" ? one === other : one.toLowerCase() === other.toLowerCase()

/** Links above the project or the home folder do not count. */
export const lead = ({ path, project }: Target, file: string, home: string): Effect.Effect<Lead> =>
  Effect.gen(function*() {
    const folder = project ?? (isWithin(home, path) ? home : undefined)
    if (folder === undefined) return { to: isSame(path, file) ? undefined : file, isOutside: false }
    const within = yield* real(folder)
    return {
      to: isSame(join(within, relative(folder, path)), file) ? undefined : file,
      isOutside: project !== undefined && !isWithin(within, file)
    }
  })

/** It belongs to a repository of Git, so that others may have its files. */
export const isShared = (folder: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    for (let at = resolve(folder);; at = dirname(at)) {
      const git = join(at, ".git")
      if (await within(git, () => stat(git)).then(() => true, () => false)) return true
      if (dirname(at) === at) return false
    }
  })

/** With each `*` replaced by what exists; each file once. */
const allTargets = (on: Machine): Effect.Effect<ReadonlyArray<readonly [string, Target]>> =>
  Effect.gen(function*() {
    const targets = new Map<string, Target>()
    for (const { host, path, scope } of places(on)) {
      for (const file of yield* ConfigFile.expand(path)) {
        const key = yield* real(file)
        if (targets.has(key)) continue
        const isLive = scope === "user" && host.isLive
        const project = scope === "project" ? on.cwd : undefined
        targets.set(key, { path: file, host, sections: host.sections, isNamed: false, isLive, project })
      }
    }
    return [...targets]
  })

export const find = (adopt: Adopt, on: Machine): Effect.Effect<ReadonlyArray<Target>> =>
  Effect.gen(function*() {
    const all = yield* allTargets(on)
    if (adopt.file === undefined) {
      return all.map(([, target]) => target).filter(({ host }) => adopt.host === undefined || host?.id === adopt.host)
    }
    const path = resolve(adopt.file)
    const key = yield* real(path)
    const found = all.find(([file]) => file === key)?.[1]
    return [{
      path,
      host: found?.host,
      sections: found?.sections ?? sections[formatOf(path)],
      isNamed: true,
      isLive: found?.isLive ?? false,
      project: found?.path === path ? found.project : on.cwd !== on.home && isWithin(on.cwd, path) ? on.cwd : undefined
    }]
  })

/** Each syntax is loaded only when a file has it. */
export const syntaxOf = (file: string): Effect.Effect<Syntax> =>
  Effect.promise(async () => {
    const format = formatOf(file)
    if (format === "json") return (await import("../document/Json.js")).syntax
    return format === "toml"
      ? (await import("../document/Toml.js")).syntax
      : (await import("../document/Yaml.js")).syntax
  })
