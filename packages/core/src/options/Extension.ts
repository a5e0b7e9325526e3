/** Core imports no extension. */
import type { Context, Effect, Scope } from "effect"
import type { Lists, Snapshot } from "../catalog/Catalog.js"
import type { InvalidOptions } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import type { Connector, Offers } from "../port/Connector.js"
import type { RuntimeLayer } from "./CallOptions.js"
import type { Policy } from "./Policy.js"

export interface Host {
  readonly backend: string
  readonly policy: Policy
  /** Of all extensions. */
  readonly offers: Offers
  /** Call it when what `status` says has changed. */
  readonly changed: () => void
}

/** What callers are offered of what the server has. The rest is in no list, and refused like what does not exist. */
export interface Offering extends Pick<Offers, "has" | "passes"> {
  /** `from`: the connection from which all were read; without it, they are of an earlier run. */
  readonly lists: (lists: Lists & Pick<Snapshot, "truncated">, from?: Connection) => Lists
  /** Of the answer to a caller's own request. */
  readonly result: <A>(method: string, result: A) => A
  /** For a request that is not sent, with or without a connection. */
  readonly refusal: (method: string, params: unknown) => Refusal | undefined
}

export interface Refusal {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** None of its functions may throw. */
export interface Installed<Service> {
  /** For programs: `Backend.extension(tag)`. */
  readonly service: Service
  readonly around?: ((connector: Connector) => Connector) | undefined
  /** Added to the backend's status, under new names. `catalog`: the one that is shown. */
  readonly status?: ((catalog: Snapshot | undefined) => object) | undefined
  /** Its lists are read then, whatever `discovery.mode` says. */
  readonly offering?: Offering | undefined
  /** For each connection, beside that of the backend's options. */
  readonly runtime?: RuntimeLayer | undefined
  /** Left out of the lists; their calls are refused with the reason. */
  readonly withheld?: (() => ReadonlyArray<string>) | undefined
}

export interface Extension<Id, Service> {
  /** A backend may have one of each tag. */
  readonly tag: Context.Tag<Id, Service>
  /** Runs once for each backend, before its first attempt; a fleet waits for it. The scope closes after the last connection. */
  readonly install: (host: Host) => Effect.Effect<Installed<Service>, InvalidOptions, Scope.Scope>
}

export type Any = Extension<any, any>
