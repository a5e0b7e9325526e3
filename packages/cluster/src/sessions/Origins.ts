/** To open a sealed id takes a while. */
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import type { ReplicaId } from "../LeaseRules.js"

export interface Origin {
  readonly born: ReplicaId | undefined
}

const maxOrigins = 10_000

export class Origins {
  readonly #seal: Seal
  /** Oldest first. */
  readonly #all = new Map<string, Origin>()

  constructor(seal: Seal) {
    this.#seal = seal
  }

  /** `undefined` if the id was not made with the seal. */
  of(id: string): Origin | undefined {
    const known = this.#all.get(id)
    if (known !== undefined) return known
    const claims = this.#seal.open(id)
    if (claims === undefined) return undefined
    const origin = { born: claims.home }
    this.#all.set(id, origin)
    const [first] = this.#all.keys()
    if (this.#all.size > maxOrigins && first !== undefined) this.#all.delete(first)
    return origin
  }
}
