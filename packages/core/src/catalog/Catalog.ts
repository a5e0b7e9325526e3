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

export interface Lists {
  readonly tools: ReadonlyArray<Tool>
  readonly prompts: ReadonlyArray<Prompt>
  readonly resources: ReadonlyArray<Resource>
  readonly resourceTemplates: ReadonlyArray<ResourceTemplate>
}

/** What Lifeline cannot offer as it is, and why. Other entries are not affected. */
export interface Problem {
  readonly backend: string
  readonly kind: Kind
  readonly name: string
  readonly message: string
}

/** All its lists come from the same connection. */
export interface Snapshot extends Lists {
  /** Of the connection that gave the lists. */
  readonly generation: number
  /** Grows by one with each published catalogue that differs from the last. */
  readonly revision: number
  /** They may be out of date: not of the current connection, or older than their `ttlMs`. */
  readonly stale: boolean
  readonly serverInfo: Implementation
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly problems: ReadonlyArray<Problem>
  /** Read only in part (`discovery.maxEntries`, `discovery.maxPages`); `problems` says why. */
  readonly truncated: ReadonlyArray<Kind>
}

/** A catalogue of an earlier run of the program. */
export interface Remembered
  extends Lists, Pick<Snapshot, "serverInfo" | "capabilities" | "instructions" | "protocolVersion">
{}

/** Lets a backend's catalogue outlive the program. */
export interface CatalogMemory {
  /** The backend begins with it, marked as stale, until it has read one. It gives no tool the right to be called twice. */
  readonly remembered?: Remembered | undefined
  /** Called with each catalogue that was read and differs from the last. Must not throw. */
  readonly keep: (snapshot: Snapshot) => void
}

export const fromBefore = (remembered: Remembered): Snapshot => ({
  ...remembered,
  generation: 0,
  revision: 0,
  stale: true,
  problems: [],
  truncated: []
})

export const empty: Lists = { tools: [], prompts: [], resources: [], resourceTemplates: [] }

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
