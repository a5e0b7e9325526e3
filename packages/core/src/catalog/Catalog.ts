/** What a server offers, as one immutable value. */
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

/** An entry or a list that Lifeline cannot offer as it is, and why. It does not affect other entries. */
export interface Problem {
  readonly backend: string
  readonly kind: Kind
  readonly name: string
  readonly message: string
}

/** The catalogue of one backend, as one immutable value: all its lists come from the same connection. */
export interface Snapshot extends Lists {
  /** The number of the connection from which the lists were read. */
  readonly generation: number
  /** Grows by one each time Lifeline publishes a catalogue that differs from the last one. */
  readonly revision: number
  /** Whether they may be out of date: not of the current connection, or older than their `ttlMs`. */
  readonly stale: boolean
  readonly serverInfo: Implementation
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly problems: ReadonlyArray<Problem>
  /** The lists of which Lifeline read only a part (`discovery.maxEntries`, `discovery.maxPages`). `problems` says why. */
  readonly truncated: ReadonlyArray<Kind>
}

/** A catalogue from before: what a program has kept of the last time that it ran. */
export interface Remembered
  extends Lists, Pick<Snapshot, "serverInfo" | "capabilities" | "instructions" | "protocolVersion">
{}

/** Where the catalogue of one backend outlives the program. */
export interface CatalogMemory {
  /** The catalogue that the backend begins with, marked as stale, until it has read one. It gives no tool the right to be called twice. */
  readonly remembered?: Remembered | undefined
  /** Called with each catalogue that was read and differs from the last one. Must not throw. */
  readonly keep: (snapshot: Snapshot) => void
}

/** A catalogue from before as a snapshot: of no connection of this backend. */
export const fromBefore = (remembered: Remembered): Snapshot => ({
  ...remembered,
  generation: 0,
  revision: 0,
  stale: true,
  problems: [],
  truncated: []
})

export const empty: Lists = { tools: [], prompts: [], resources: [], resourceTemplates: [] }

/** As the backend shows it: `undefined` if it is withdrawn; stale if it has expired, or is not of the current connection. */
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
