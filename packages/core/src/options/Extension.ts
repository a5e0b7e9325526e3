/** The port for what extends a backend. Core imports no extension. */
import type { Context, Effect, Scope } from "effect"
import type { InvalidOptions } from "../Errors.js"
import type { Connector, Offers } from "../port/Connector.js"
import type { Policy } from "./Policy.js"

/** What a backend is to its extension. */
export interface Host {
  /** The name of the backend. */
  readonly backend: string
  readonly policy: Policy
  /** What the options offer of what the server has. */
  readonly offers: Offers
  /** Call it when what `status` says has changed. */
  readonly changed: () => void
}

/** What an extension gives to a backend. None of its functions may throw. */
export interface Installed<Service> {
  /** What programs use of it: `Backend.extension(tag)`. */
  readonly service: Service
  /** Lays something around the connector, through which each connection and request passes. */
  readonly around?: ((connector: Connector) => Connector) | undefined
  /** The fields that it adds to the backend's status, under names that the status does not have. */
  readonly status?: (() => object) | undefined
  /** The tools that it leaves out of the lists, and whose calls it refuses with the reason. */
  readonly withheld?: (() => ReadonlyArray<string>) | undefined
}

/** Extends each backend whose options have it. */
export interface Extension<Id, Service> {
  /** A backend may have one extension of each tag. */
  readonly tag: Context.Tag<Id, Service>
  /** Runs once for each backend, before its first attempt. The scope closes after the last connection. */
  readonly install: (host: Host) => Effect.Effect<Installed<Service>, InvalidOptions, Scope.Scope>
}

/** An extension of any tag. */
// oxlint-disable-next-line typescript/no-explicit-any -- a service is given out under its own tag only
export type Any = Extension<any, any>
