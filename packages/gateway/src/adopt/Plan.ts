import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import * as Entries from "./Entries.js"
import type { Launcher } from "./Launcher.js"
import * as Patch from "./Patch.js"
import { decide } from "./Rewrite.js"

export interface Server {
  readonly name: string
  readonly section: Entries.Section
  readonly outcome: "wrapped" | "already wrapped" | "left" | "unwrapped" | "not unwrapped"
  /** Why it stays as it is; otherwise a note for the user. */
  readonly reason?: string | undefined
}

export type Named = Pick<Server, "name" | "section">

export interface Plan {
  readonly text: string
  readonly servers: ReadonlyArray<Server>
  readonly done: ReadonlyArray<Named>
}

/** Returns why not if the change of the text is impossible, or would change anything else. */
export const checked = (
  syntax: Syntax,
  wanted: Value.Value,
  write: () => string
): { readonly text: string; readonly value: Value.Value } | { readonly why: string } => {
  try {
    const text = write()
    return Value.equal(syntax.value(text), wanted)
      ? { text, value: wanted }
      : { why: "it is written in a way that cannot be changed without touching something else; change it by hand" }
  } catch (error) {
    if (error instanceof Patch.Unsuited) return { why: error.message }
    if (error instanceof Tree.Unreadable) {
      return { why: "it is written in a way that cannot be changed; change it by hand" }
    }
    throw error
  }
}

/** `only`: the servers to wrap; empty for all. */
export interface Options {
  readonly platform: NodeJS.Platform
  readonly launcher: Launcher
  readonly only: ReadonlyArray<string>
}

export const wrap = (
  before: string,
  syntax: Syntax,
  sections: ReadonlyArray<Entries.Section>,
  { launcher, only, platform }: Options
): Plan => {
  let text = before
  let now: Value.Value = text.trim() === "" ? new Map<string, Value.Value>() : syntax.value(text)
  const entries = Entries.read(now, sections).filter(({ name }) => only.length === 0 || only.includes(name))
  const servers = entries.map(({ name, path, section, value }): Server => {
    const decision = decide(value, section, { platform, launcher, isNamed: only.includes(name) })
    if (decision._tag === "Wrapped") return { name, section, outcome: "already wrapped" }
    if (decision._tag === "Left") return { name, section, outcome: "left", reason: decision.reason }
    const { note, patch } = decision
    const result = checked(
      syntax,
      Value.put(now, path, Patch.patched(value, patch)),
      () => Patch.write(text, Tree.at(syntax.tree(text), path), patch, syntax)
    )
    if ("why" in result) return { name, section, outcome: "left", reason: result.why }
    const place = (text: string): Tree.Place => ({ text, root: syntax.tree(text), path })
    if (Tree.restored(place(result.text), place(text)) !== text) {
      return {
        name,
        section,
        outcome: "left",
        reason: "a comment behind it could not be taken back; change it by hand"
      }
    }
    text = result.text
    now = result.value
    return { name, section, outcome: "wrapped", reason: note }
  })
  return { text, servers, done: servers.filter(({ outcome }) => outcome === "wrapped") }
}
