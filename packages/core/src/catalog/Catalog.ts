/**
 * What a server offers, as one immutable value.
 */
import type {
  Implementation,
  Prompt,
  Resource,
  ResourceTemplate,
  ServerCapabilities,
  Tool
} from "@modelcontextprotocol/sdk/types.js"
import type { Kind } from "./Kind.js"

export type { Kind } from "./Kind.js"

/** What a server's lists hold. */
export interface Lists {
  readonly tools: ReadonlyArray<Tool>
  readonly prompts: ReadonlyArray<Prompt>
  readonly resources: ReadonlyArray<Resource>
  readonly resourceTemplates: ReadonlyArray<ResourceTemplate>
}

/** An entry that could not be offered, and why. Hides nothing else. */
export interface Problem {
  readonly backend: string
  readonly kind: Kind
  readonly name: string
  readonly message: string
}

/**
 * The published catalogue of one backend. Swapped as one value: whoever holds one sees one moment of one generation.
 */
export interface Snapshot extends Lists {
  /** The generation that these lists were read from. */
  readonly generation: number
  /** Grows by one with each publication that differs. */
  readonly revision: number
  /**
   * The backend has no connection, or a newer one whose lists have not been read yet; or they are older than the server lets them
   * become, and are being read again.
   */
  readonly stale: boolean
  readonly serverInfo: Implementation
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly problems: ReadonlyArray<Problem>
  /**
   * The lists that were not read to their end: those with more than `discovery.maxEntries` entries or `discovery.maxPages`
   * pages, and those that have no end. `problems` says why.
   */
  readonly truncated: ReadonlyArray<Kind>
}

/** Lists of a server that offers nothing. */
export const empty: Lists = { tools: [], prompts: [], resources: [], resourceTemplates: [] }

/**
 * A snapshot as a backend shows it: not at all where it is withdrawn, and stale where it has expired, or its generation is not the one
 * that is connected, if any is.
 */
export const visible = (
  snapshot: Snapshot,
  { connectedGeneration, expired, withdrawn }: {
    readonly withdrawn: boolean
    readonly expired: boolean
    readonly connectedGeneration: number | undefined
  }
): Snapshot | undefined => {
  if (withdrawn) return undefined
  const stale = expired || snapshot.generation !== connectedGeneration // guard: stale-is-shown
  return stale === snapshot.stale ? snapshot : { ...snapshot, stale }
}
