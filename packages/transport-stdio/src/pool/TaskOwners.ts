/** Requests about a task go to the process that made it, as long as that lives. */
import { Predicate } from "effect"
import type { Choice } from "./Choice.js"

/** How many tasks are remembered; the oldest are forgotten first. A task with a longer id is not remembered. */
const most = 10_000
const longestId = 1000

export class TaskOwners {
  readonly #owners = new Map<string, Choice>()

  note(method: string, result: unknown, choice: Choice): void {
    if (method !== "tools/call" || !Predicate.isRecord(result) || !Predicate.isRecord(result["task"])) return
    const { taskId } = result["task"]
    if (!Predicate.isString(taskId) || taskId.length > longestId) return
    this.#owners.set(taskId, choice)
    if (this.#owners.size <= most) return
    for (const oldest of this.#owners.keys()) return void this.#owners.delete(oldest)
  }

  /** `undefined`: any process will do. */
  of(method: string, params: unknown): Choice | undefined {
    if (!method.startsWith("tasks/") || !Predicate.isRecord(params)) return undefined
    const { taskId } = params
    const owner = Predicate.isString(taskId) ? this.#owners.get(taskId) : undefined
    return owner !== undefined && owner.member.live === owner.live ? owner : undefined
  }
}
