/** Nobody reads what own servers of another caller have said. Callers that nothing tells apart count as one. */
import { type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import type { Introduction } from "@mcp-lifeline/protocol"
import { longestInstructions } from "./Instructions.js"

/** Other callers read it once their servers have started again. */
const maxOwners = 1000

/** In characters of JSON, besides the instructions. What is longer is not kept. */
const longest = 16_000

const isShort = (introduction: Introduction): boolean => {
  try {
    return JSON.stringify({ ...introduction, instructions: undefined }).length <= longest
  } catch {
    // So deep that nobody could read it.
    return false
  }
}

export class OwnIntroductions {
  /** By owner, then by server. First the owner of whom nothing was set for longest. */
  readonly #all = new Map<string, Map<string, Introduction>>()

  set(caller: Caller, server: string, introduction: Introduction): void {
    const owner = ownerOf(caller)
    const own = this.#all.get(owner) ?? new Map<string, Introduction>()
    this.#all.delete(owner)
    own.delete(server)
    const isKept = isShort(introduction)
    if (isKept || own.size > 0) this.#all.set(owner, own)
    if (!isKept) return
    const { instructions } = introduction
    // One character more than is shown: it shows that there is more.
    own.set(server, { ...introduction, instructions: instructions?.trim().slice(0, longestInstructions + 1) })
    const [oldest] = this.#all.keys()
    if (this.#all.size > maxOwners && oldest !== undefined) this.#all.delete(oldest)
  }

  of(caller: Caller, server: string): Introduction | undefined {
    return this.#all.get(ownerOf(caller))?.get(server)
  }

  /** Forgets all other servers. */
  keep(servers: ReadonlySet<string>): void {
    for (const [owner, own] of this.#all) {
      for (const server of own.keys()) if (!servers.has(server)) own.delete(server)
      if (own.size === 0) this.#all.delete(owner)
    }
  }
}
