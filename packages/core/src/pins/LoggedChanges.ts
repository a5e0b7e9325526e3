/**
 * Which changes of one server's tools were logged. Several connections may differ, and each finds the same again and again; and a server may list
 * something else each time. So each definition is logged once, and of so many that it is clear that they keep changing, no more are.
 */

/** So many definitions of one tool are logged, and of all tools of a server. */
const most = { ofTool: 5, ofServer: 500 }

/** What becomes of a change in the log: `last` is logged, and nothing after it. */
export type Logging = "logged" | "last" | "known"

export class LoggedChanges {
  readonly #byTool = new Map<string, Set<string>>()
  #count = 0

  /** Notes that a tool has this definition now: its digest, or an empty text if the tool is gone. */
  add(tool: string, digest: string): Logging {
    const known = this.#byTool.get(tool) ?? new Set()
    if (known.has(digest) || known.size >= most.ofTool || this.#count >= most.ofServer) return "known"
    this.#byTool.set(tool, known.add(digest))
    this.#count += 1
    return known.size === most.ofTool || this.#count === most.ofServer ? "last" : "logged"
  }

  /** Forgets the tools that this is true for, as after an approval: what changes then is logged again. */
  forget(isMeant: (tool: string) => boolean): void {
    for (const [tool, { size }] of this.#byTool) {
      if (!isMeant(tool)) continue
      this.#byTool.delete(tool)
      this.#count -= size
    }
  }
}
