/**
 * The files that a command is about.
 */
import { Effect } from "effect"
import { realpath } from "node:fs/promises"
import { homedir } from "node:os"
import { resolve } from "node:path"
import type { Syntax } from "../document/Syntax.js"
import { within } from "../files/within.js"
import type { Adopt } from "./Arguments.js"
import * as ConfigFile from "./ConfigFile.js"
import { type Section, sections } from "./Entries.js"
import { formatOf, type Host, type Machine, places } from "./Hosts.js"

export interface Target {
  readonly path: string
  readonly host: Host | undefined
  readonly sections: ReadonlyArray<Section>
  /** Whether the user has named this file. */
  readonly isNamed: boolean
  /** Whether the host writes this file while it runs. */
  readonly isLive: boolean
}

export const machine = (): Machine => ({
  platform: process.platform,
  env: process.env,
  home: homedir(),
  cwd: process.cwd()
})

/** The path itself, behind all symbolic links, where it exists. */
const real = (path: string): Effect.Effect<string> =>
  Effect.promise(() => within(path, () => realpath(path)).catch(() => path))

/** All places of the hosts, with each `*` replaced by what is there; each file once. */
const known = (on: Machine): Effect.Effect<ReadonlyArray<readonly [string, Target]>> =>
  Effect.gen(function*() {
    const targets = new Map<string, Target>()
    for (const { host, path, scope } of places(on)) {
      for (const file of yield* ConfigFile.expand(path)) {
        const key = yield* real(file)
        if (targets.has(key)) continue
        const isLive = scope === "user" && host.isLive === true
        targets.set(key, { path: file, host, sections: host.sections, isNamed: false, isLive })
      }
    }
    return [...targets]
  })

/** The files of a command line, in the order of the hosts; they need not exist. */
export const find = (adopt: Adopt, on: Machine): Effect.Effect<ReadonlyArray<Target>> =>
  Effect.gen(function*() {
    const all = yield* known(on)
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
      isLive: found?.isLive ?? false
    }]
  })

/** The format of a file. Each is loaded only where a file has it. */
export const syntaxOf = (file: string): Effect.Effect<Syntax> =>
  Effect.promise(async () => {
    const format = formatOf(file)
    if (format === "json") return (await import("../document/Json.js")).syntax
    return format === "toml"
      ? (await import("../document/Toml.js")).syntax
      : (await import("../document/Yaml.js")).syntax
  })
