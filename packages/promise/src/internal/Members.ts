/**
 * The servers of a fleet's configuration, and what was made of them.
 */
import type { Backend } from "@mcp-lifeline/core"
import { isDeepStrictEqual } from "node:util"
import type { CommonOptions, FleetConfig, Server } from "../Options.js"
import type { Peer } from "./Handlers.js"
import { Handlers } from "./Handlers.js"
import type { Prepared } from "./Servers.js"
import * as Servers from "./Servers.js"

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** A copy to compare with later: users edit what they gave and give it again. */
const copy = (server: Server): Server =>
  Object.fromEntries(
    Object.entries(server).map(([key, value]) => [
      key,
      Array.isArray(value) ? [...value] : isPlain(value) ? { ...value } : value
    ])
  ) as unknown as Server

/** What was made of each configured server, so that a server whose configuration is the same stays the same (L15). */
export class Members {
  readonly #options: CommonOptions
  readonly #peer: (name: string) => Peer
  readonly #handlers = new Map<string, Handlers>()
  #current = new Map<string, { readonly server: Server; readonly prepared: Prepared }>()

  constructor(options: CommonOptions, peer: (name: string) => Peer) {
    this.#options = options
    this.#peer = peer
  }

  get(name: string): Prepared | undefined {
    return this.#current.get(name)?.prepared
  }

  /** The handlers of a name, which outlive its configuration. A server can ask before anybody has its client. */
  handlers(name: string): Handlers {
    let handlers = this.#handlers.get(name)
    if (handlers === undefined) {
      this.#handlers.set(name, handlers = new Handlers(name, this.#options))
      handlers.attach(() => this.#peer(name))
    }
    return handlers
  }

  /** What a configuration makes of the members; `commit` takes it. Throws ConfigError. */
  plan(config: FleetConfig): {
    readonly backends: Readonly<Record<string, Backend.BackendOptions>>
    readonly commit: () => void
  } {
    const next = new Map<string, { readonly server: Server; readonly prepared: Prepared }>()
    for (const [name, server] of Object.entries(config.mcpServers)) {
      const known = this.#current.get(name)
      next.set(
        name,
        known !== undefined && isDeepStrictEqual(known.server, server)
          ? known
          : { server: copy(server), prepared: Servers.prepare(name, server, this.#options, this.handlers(name)) }
      )
    }
    return {
      backends: Object.fromEntries([...next].map(([name, { prepared }]) => [name, prepared.options])),
      commit: () => {
        this.#current = next
      }
    }
  }
}
