/** The port for what extends a backend. Core imports no extension. */
import type { Context, Effect, Scope } from "effect"
import type { Lists, Snapshot } from "../catalog/Catalog.js"
import type { InvalidOptions } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import type { Connector, Offers } from "../port/Connector.js"
import type { Policy } from "./Policy.js"

/** What a backend is to its extension. */
export interface Host {
  readonly backend: string
  readonly policy: Policy
  /** What all extensions offer of what the server has. */
  readonly offers: Offers
  /** Call it when what `status` says has changed. */
  readonly changed: () => void
}

/** What callers are offered of what the server has. What is not is in no list, and refused like what the server does not have. */
export interface Offering extends Pick<Offers, "has" | "passes"> {
  /** What callers get of these lists. `from`: the connection from which all were read; without one, they are of an earlier run. */
  readonly lists: (lists: Lists & Pick<Snapshot, "truncated">, from?: Connection) => Lists
  /** What a caller gets of the answer to a request of its own. */
  readonly result: <A>(method: string, result: A) => A
  /** The error for a request that is not sent, whether there is a connection or not. */
  readonly refusal: (method: string, params: unknown) => Refusal | undefined
}

/** An error of JSON-RPC. */
export interface Refusal {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** What an extension gives to a backend. None of its functions may throw. */
export interface Installed<Service> {
  /** What programs use of it: `Backend.extension(tag)`. */
  readonly service: Service
  /** Lays something around the connector. */
  readonly around?: ((connector: Connector) => Connector) | undefined
  /** The fields that it adds to the backend's status, under names that the status does not have. `catalog`: the one that is shown. */
  readonly status?: ((catalog: Snapshot | undefined) => object) | undefined
  /** Offers callers a part of what the server has. Its lists are read then, whatever `discovery.mode` says. */
  readonly offering?: Offering | undefined
  /** The tools that it leaves out of the lists, and whose calls it refuses with the reason. */
  readonly withheld?: (() => ReadonlyArray<string>) | undefined
}

/** Extends each backend whose options have it. */
export interface Extension<Id, Service> {
  /** A backend may have one extension of each tag. */
  readonly tag: Context.Tag<Id, Service>
  /** Runs once for each backend, before its first attempt; a fleet waits for it. The scope closes after the last connection. */
  readonly install: (host: Host) => Effect.Effect<Installed<Service>, InvalidOptions, Scope.Scope>
}

/** An extension of any tag. */
export type Any = Extension<any, any>
