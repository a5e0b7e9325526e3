import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import type { Step } from "./Copies.js"
import * as Entries from "./Entries.js"
import { checked, type Server } from "./Plan.js"
import { isWrapped } from "./Rewrite.js"

export interface Undone {
  readonly text: string
  readonly servers: ReadonlyArray<Server>
  /** The text is the original one, byte for byte. */
  readonly isExact: boolean
  readonly steps: ReadonlyArray<Step>
}

/** Servers that are as the step has left them get their text in its copy; all else stays. */
const unwrap = (text: string, step: Step, only: ReadonlyArray<string>, syntax: Syntax): Omit<Undone, "isExact"> => {
  let now = text
  let value = syntax.value(text)
  const copy = syntax.tree(step.before)
  const [before, after] = [syntax.value(step.before), syntax.value(step.after)]
  const servers = step.done.filter(({ name }) => only.length === 0 || only.includes(name)).map(
    ({ name, section }): Server => {
      const [entry, wrapped, old] = [value, after, before].map((root) =>
        Entries.read(root, [section]).find((one) => one.name === name)
      )
      if (entry === undefined || !isWrapped(entry.value)) {
        return { name, section, outcome: "left", reason: "it is not wrapped any more" }
      }
      if (old === undefined || !Value.equal(entry.value, wrapped?.value)) {
        return { name, section, outcome: "not unwrapped", reason: "it was changed since" }
      }
      const result = checked(
        syntax,
        Value.put(value, entry.path, old.value),
        () =>
          Tree.restored(
            { text: now, root: syntax.tree(now), path: entry.path },
            { text: step.before, root: copy, path: old.path }
          )
      )
      if ("why" in result) return { name, section, outcome: "not unwrapped", reason: result.why }
      now = result.text
      value = result.value
      return { name, section, outcome: "unwrapped" }
    }
  )
  const done = step.done.filter((one) =>
    !servers.some(({ name, outcome, section }) =>
      outcome !== "not unwrapped" && name === one.name && section.join(" ") === one.section.join(" ")
    )
  )
  return { text: now, servers, steps: done.length === 0 ? [] : [{ ...step, done }] }
}

/**
 * The latest step first. If nobody else has changed the file since a step, its copy is restored; otherwise the servers are unwrapped one by
 * one. `only`: names of servers; empty for all.
 */
export const undo = (
  text: string,
  steps: ReadonlyArray<Step>,
  only: ReadonlyArray<string>,
  syntax: Syntax
): Undone => {
  const [step] = steps.slice(-1)
  if (step === undefined) return { text, servers: [], isExact: true, steps: [] }
  const before = steps.slice(0, -1)
  // Something else has restored this text already, for example version control.
  if (text === step.before && !step.isAdvised) return undo(text, before, only, syntax)
  const isExact = text === step.after && step.done.every(({ name }) => only.length === 0 || only.includes(name))
  const here = isExact
    ? { text: step.before, servers: step.done.map((one) => ({ ...one, outcome: "unwrapped" }) as const), steps: [] }
    : unwrap(text, step, only, syntax)
  const rest = undo(here.text, before, only, syntax)
  return {
    text: rest.text,
    servers: [...here.servers, ...rest.servers],
    isExact: isExact && rest.isExact,
    steps: [...rest.steps, ...here.steps]
  }
}
