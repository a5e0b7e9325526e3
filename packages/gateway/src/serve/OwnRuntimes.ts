/**
 * The runtimes of the servers of which each client has its own, of all clients: how an operator reaches them, and which of these
 * servers are switched off, for the clients to come as well.
 */
import type { Backend } from "@mcp-lifeline/core"
import { Array, Clock, Effect, type Option } from "effect"
import { sameOptions, type Server } from "./Servers.js"

/** A client that may have servers to itself. */
export interface Holder {
  /** Its runtime of a server. */
  readonly ownRuntime: (server: string) => Effect.Effect<Option.Option<Backend.Backend>>
}

/** How a server was switched. */
export interface Switched {
  readonly isOff: boolean
  /** In milliseconds since 1970. */
  readonly at: number
}

/** The runtimes of all clients. */
export class OwnRuntimes {
  readonly #servers: () => ReadonlyArray<Server>
  readonly #clients: Iterable<Holder>
  readonly #switched = new Map<string, Switched & { readonly server: Server }>()

  /** `servers`: those of which each client has its own. */
  constructor(servers: () => ReadonlyArray<Server>, clients: Iterable<Holder>) {
    this.#servers = servers
    this.#clients = clients
  }

  /** The servers, whether a client has one of them or not. */
  get servers(): ReadonlyArray<Server> {
    return this.#servers()
  }

  /** How a server was switched last. One that is configured otherwise since begins as its configuration says. */
  switched(server: Server): Switched | undefined {
    const last = this.#switched.get(server.id)
    return last !== undefined && sameOptions(last.server, server) ? last : undefined
  }

  /** Whether no client is to have it running. */
  isOff(server: Server): boolean {
    return this.switched(server)?.isOff ?? server.lifecycle?.disabled === true
  }

  /** Switches a server off or on for the clients that begin to use it from now on. */
  switch(server: Server, isOff: boolean): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (at) => void this.#switched.set(server.id, { server, isOff, at }))
  }

  /** Those of one server that clients have now. */
  of(server: Server): Effect.Effect<ReadonlyArray<Backend.Backend>> {
    return Effect.suspend(() =>
      Effect.map(
        Effect.forEach([...this.#clients], (client) => client.ownRuntime(server.id), { concurrency: "unbounded" }),
        Array.getSomes
      )
    )
  }
}
