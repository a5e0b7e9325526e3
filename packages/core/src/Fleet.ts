/**
 * A fleet: many backends, one catalogue.
 */
import type {
  CallToolResult,
  GetPromptResult,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplate,
  Tool
} from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Scope, Stream } from "effect"
import type { DurationInput } from "effect/Duration"
import type { Backend, BackendOptions, CallOptions } from "./Backend.js"
import type { Problem } from "./Catalog.js"
import type { BackendUnavailable, CallError, ConfigError, RemoteError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { PolicyOptions } from "./Policy.js"
import type { Status } from "./Status.js"

/** One entry of the fleet's catalogue: the name (or URI) that callers use, and where it leads. */
export interface Entry<A> {
  readonly backend: string
  /** Its name (or URI) at the backend. */
  readonly original: string
  readonly stale: boolean
  /** As callers see it: under its full name. */
  readonly value: A
}

/** The union of what all backends offer, as one immutable value. Keys are full names or URIs, in the order of backends. */
export interface FleetCatalog {
  readonly revision: number
  readonly tools: ReadonlyMap<string, Entry<Tool>>
  readonly prompts: ReadonlyMap<string, Entry<Prompt>>
  readonly resources: ReadonlyMap<string, Entry<Resource>>
  readonly resourceTemplates: ReadonlyMap<string, Entry<ResourceTemplate>>
  readonly problems: ReadonlyArray<Problem>
}

/** What changed between two catalogues of a fleet, by full name or URI. */
export interface Difference {
  readonly revision: number
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
}

/** What `apply` did. */
export interface Applied {
  readonly started: ReadonlyArray<string>
  readonly stopped: ReadonlyArray<string>
  readonly replaced: ReadonlyArray<string>
}

/** A fleet's options. */
export interface FleetOptions {
  /** The backends by name, in the order in which they claim resources that several offer. */
  readonly backends: Readonly<Record<string, BackendOptions>>
  /** Options below each backend's own. */
  readonly defaults?: PolicyOptions | undefined
  /** Attempts under way at once. Default 8. */
  readonly connectConcurrency?: number | undefined
  /** How long `ready` waits at most. Default 10 s. */
  readonly waitTimeout?: DurationInput | undefined
}

/** Many backends, one catalogue. A slow or dead backend delays no other (L14). */
export interface Fleet {
  readonly backends: Effect.Effect<ReadonlyArray<Backend>>
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  readonly status: Effect.Effect<Readonly<Record<string, Status>>>
  readonly statusChanges: Stream.Stream<Readonly<Record<string, Status>>>
  readonly events: Stream.Stream<Event>
  readonly catalog: Effect.Effect<FleetCatalog>
  readonly catalogChanges: Stream.Stream<FleetCatalog>
  readonly differences: Stream.Stream<Difference>
  /** Ends when each backend is settled, at most after `waitTimeout`. */
  readonly ready: Effect.Effect<void>
  /** Calls a tool by its full name. An unknown name fails with RemoteError -32602. */
  readonly callTool: (
    params: { readonly name: string; readonly arguments?: Record<string, unknown> | undefined },
    options?: CallOptions
  ) => Effect.Effect<CallToolResult, CallError | RemoteError>
  readonly getPrompt: (
    params: { readonly name: string; readonly arguments?: Record<string, string> | undefined },
    options?: CallOptions
  ) => Effect.Effect<GetPromptResult, CallError>
  readonly readResource: (
    params: { readonly uri: string },
    options?: CallOptions
  ) => Effect.Effect<ReadResourceResult, CallError>
  /** Starts, stops and replaces only what changed (L15): a backend is the same if its options are the same object or equal. */
  readonly apply: (backends: FleetOptions["backends"]) => Effect.Effect<Applied, ConfigError>
}

/** Makes a fleet that lives as long as the scope. An empty fleet has a working, empty catalogue. */
export declare const make: (options: FleetOptions) => Effect.Effect<Fleet, ConfigError, Scope.Scope>
