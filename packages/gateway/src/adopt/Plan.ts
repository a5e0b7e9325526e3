import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import * as Edit from "./Edit.js"
import * as Entries from "./Entries.js"
import type { Launcher } from "./Launcher.js"
import { decide, isWrapped } from "./Rewrite.js"
import * as TextEdit from "./TextEdit.js"

export interface Server {
  readonly name: string
  readonly section: Entries.Section
  readonly outcome: "wrapped" | "already wrapped" | "left" | "unwrapped" | "not unwrapped"
  /** Why it stays as it is; otherwise a note for the user. */
  readonly reason?: string | undefined
}

/** Kept for `--undo`. */
export interface EntryEdits {
  readonly name: string
  readonly section: Entries.Section
  readonly edits: ReadonlyArray<Edit.Edit>
}

export interface Plan {
  readonly text: string
  readonly servers: ReadonlyArray<Server>
  /** After a wrap, the edits that can be undone. After an unwrap, those that could not be undone. */
  readonly done: ReadonlyArray<EntryEdits>
}

const mark = "\uFEFF"

/** Without the byte order mark, which is put back. */
const unmarked = (text: string, work: (text: string) => Plan): Plan => {
  if (!text.startsWith(mark)) return work(text)
  const plan = work(text.slice(mark.length))
  return { ...plan, text: mark + plan.text }
}

/** Returns why not if the edits are impossible, or would change anything else. */
const edited = (
  text: string,
  value: Value.Value,
  path: Value.Path,
  edits: ReadonlyArray<Edit.Edit>,
  syntax: Syntax
): { readonly text: string; readonly value: Value.Value } | { readonly why: string } => {
  try {
    const wanted = edits.reduce((value, edit) => Edit.apply(value, path, edit), value)
    const result = edits.reduce((text, edit) => TextEdit.apply(text, path, edit, syntax), text)
    return Value.equal(syntax.value(result), wanted)
      ? { text: result, value: wanted }
      : { why: "it is written in a way that cannot be changed without touching something else; change it by hand" }
  } catch (error) {
    if (error instanceof TextEdit.Unsuited || error instanceof Edit.Mismatch) return { why: error.message }
    if (error instanceof Tree.Unreadable) {
      return { why: "it is written in a way that cannot be changed; change it by hand" }
    }
    throw error
  }
}

/** `only`: the servers to wrap; empty for all. */
export interface Options {
  readonly platform: NodeJS.Platform
  /** The words that start Lifeline. */
  readonly launcher: Launcher
  readonly only: ReadonlyArray<string>
}

export const wrap = (
  text: string,
  syntax: Syntax,
  sections: ReadonlyArray<Entries.Section>,
  { launcher, only, platform }: Options
): Plan =>
  unmarked(text, (before) => {
    let text = before
    const done: Array<EntryEdits> = []
    let now: Value.Value = text.trim() === "" ? new Map<string, Value.Value>() : syntax.value(text)
    const entries = Entries.read(now, sections).filter(({ name }) => only.length === 0 || only.includes(name))
    const servers = entries.map(({ name, path, section, value }): Server => {
      const decision = decide(value, section, { platform, launcher, isNamed: only.includes(name) })
      if (decision._tag === "Wrapped") return { name, section, outcome: "already wrapped" }
      if (decision._tag === "Left") return { name, section, outcome: "left", reason: decision.reason }
      const result = edited(text, now, path, decision.edits, syntax)
      if ("why" in result) return { name, section, outcome: "left", reason: result.why }
      text = result.text
      now = result.value
      done.push({ name, section, edits: decision.edits })
      return { name, section, outcome: "wrapped", reason: decision.note }
    })
    return { text, servers, done }
  })

/** In a configuration that has changed since. Edits of an entry whose values have changed are not undone. */
export const unwrap = (text: string, syntax: Syntax, wrapped: ReadonlyArray<EntryEdits>): Plan =>
  unmarked(text, (before) => {
    let text = before
    let now = syntax.value(text)
    const done: Array<EntryEdits> = []
    const servers = wrapped.toReversed().map((one): Server => {
      const { edits, name, section } = one
      const entry = Entries.read(now, [section]).find((found) => found.name === name)
      if (entry === undefined || !isWrapped(entry.value)) {
        return { name, section, outcome: "left", reason: "it is not wrapped any more" }
      }
      const result = edited(text, now, entry.path, Edit.inverses(edits), syntax)
      if ("why" in result) {
        done.unshift(one)
        return { name, section, outcome: "not unwrapped", reason: result.why }
      }
      text = result.text
      now = result.value
      return { name, section, outcome: "unwrapped" }
    })
    return { text, servers, done }
  })
