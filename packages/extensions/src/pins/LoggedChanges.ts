/**
 * Each definition is logged once, since several connections find the same again; and only so many, since a server may list something else
 * each time.
 */

const most = { ofTool: 5, ofServer: 500 }

/** `last` is logged, and nothing after it. */
export type Logging = "logged" | "last" | "known"

export class LoggedChanges {
  readonly #byTool = new Map<string, Set<string>>()
  #count = 0

  /** `digest`: empty if the tool is gone. */
  add(tool: string, digest: string): Logging {
    const known = this.#byTool.get(tool) ?? new Set()
    if (known.has(digest) || known.size >= most.ofTool || this.#count >= most.ofServer) return "known"
    this.#byTool.set(tool, known.add(digest))
    this.#count += 1
    return known.size === most.ofTool || this.#count === most.ofServer ? "last" : "logged"
  }

  forget(isMeant: (tool: string) => boolean): void {
    for (const [tool, { size }] of this.#byTool) {
      if (!isMeant(tool)) continue
      this.#byTool.delete(tool)
      this.#count -= size
    }
  }
}
