import type { Syntax } from "../document/Syntax.js"
import { hash } from "./ConfigFile.js"
import { isAdvised, type Step } from "./Copies.js"
import * as Plan from "./Plan.js"

export interface Undone {
  readonly text: string
  readonly servers: ReadonlyArray<Plan.Server>
  /** The text is the original one, byte for byte. */
  readonly isExact: boolean
  readonly steps: ReadonlyArray<Step>
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
  const servers: Array<Plan.Server> = []
  const left: Array<Step> = []
  let now = text
  let isExact = true
  for (const step of steps.toReversed()) {
    // Something else has restored this text already, for example version control.
    if (now === step.before && !isAdvised(step)) continue
    const wanted = step.done.filter(({ name }) => only.length === 0 || only.includes(name))
    if (wanted.length === step.done.length && hash(now) === step.after) {
      now = step.before
      servers.push(...step.done.map(({ name, section }) => ({ name, section, outcome: "unwrapped" } as const)))
      continue
    }
    const plan = Plan.unwrap(now, syntax, wanted)
    now = plan.text
    isExact = false
    servers.push(...plan.servers)
    const done = step.done.filter((one) => !wanted.includes(one) || plan.done.includes(one))
    if (done.length > 0) left.unshift({ ...step, done })
  }
  return { text: now, servers, isExact, steps: left }
}
