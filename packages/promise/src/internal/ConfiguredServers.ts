import type { Fleet } from "@mcp-lifeline/core"
import type { Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Incoming } from "@mcp-lifeline/protocol"
import { Equal, Redacted } from "effect"
import type { FleetConfig, FleetOptions, VsCodeConfig } from "../Options.js"
import type { Owner } from "./LazySignIn.js"
import type { Prepared } from "./Servers.js"
import * as Servers from "./Servers.js"

/** An object literal, or from JSON.parse, in any realm. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * For comparison: users change the object that they gave and give it again. Functions and instances are not copied, nor is `authProvider`,
 * which changes while it works.
 */
const copy = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(copy)
    : isPlain(value)
    ? Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === "authProvider" ? inner : copy(inner)])
    )
    : value

/** Instances, except secrets, are compared by identity, because their contents cannot be seen. */
const same = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (Redacted.isRedacted(a)) return Equal.equals(a, b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => same(value, b[i]))
  if (!isPlain(a) || !isPlain(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
}

interface ConfiguredServer {
  readonly copied: unknown
  readonly prepared: Prepared
}

/** A server whose configuration has not changed keeps its backend (L15). */
export class ConfiguredServers {
  readonly #options: FleetOptions
  readonly #makeClient: (name: string) => Promise<unknown>
  #ownerOf: ((name: string) => Owner) | undefined
  #current = new Map<string, ConfiguredServer>()
  /** Of the plan that is being applied. They may send requests before `commit`. */
  #planned = new Map<string, ConfiguredServer>()

  /** `makeClient` is called if a server sends a request before the program has its client. */
  constructor(options: FleetOptions, makeClient: (name: string) => Promise<unknown>) {
    this.#options = options
    this.#makeClient = makeClient
  }

  /** Gives each sign-in its owner. Call it before there are backends. */
  own(ownerOf: (name: string) => Owner): void {
    this.#ownerOf = ownerOf
    for (const [name, { prepared }] of this.#planned) prepared.signIn?.own(ownerOf(name))
  }

  get(name: string): Prepared | undefined {
    return this.#current.get(name)?.prepared
  }

  /** Also while its plan is being applied. */
  find(name: string): Prepared | undefined {
    return (this.#planned.get(name) ?? this.#current.get(name))?.prepared
  }

  /** Stays the same if the configuration changes. */
  #incoming(name: string): Incoming {
    return this.find(name)?.incoming ?? new Incoming(() => this.#makeClient(name))
  }

  /** Throws a ConfigError with all problems of the configuration, and `problems`. */
  plan(config: FleetConfig | VsCodeConfig, problems?: ReadonlyArray<Problem.Problem>): {
    readonly backends: Readonly<Record<string, Fleet.FleetBackend>>
    /** Puts the plan into effect, except for names in `kept`, which keep their backend. */
    readonly commit: (kept: ReadonlyArray<string>) => void
  } {
    this.#planned = new Map()
    const next = new Map<string, ConfiguredServer>()
    const servers = Servers.readAll(config, this.#options, problems)
    const options = { ...this.#options, ...ServerOptions.forAll(ServerOptions.pick(this.#options)) } as FleetOptions
    // Another prefix changes names, not the server.
    for (const [name, { prefix: _, ...server }] of servers) {
      const copied = copy(server)
      const before = this.#current.get(name)
      if (before !== undefined && same(before.copied, copied)) next.set(name, before)
      else {
        const prepared = Servers.prepare(name, server, options, this.#incoming(name))
        if (this.#ownerOf !== undefined) prepared.signIn?.own(this.#ownerOf(name))
        next.set(name, { copied, prepared })
      }
    }
    this.#planned = next
    return {
      backends: Object.fromEntries(
        [...next].map(([name, { prepared }]) => [name, { ...prepared.options, prefix: servers.get(name)?.prefix }])
      ),
      commit: (kept) => {
        for (const name of kept) {
          const before = this.#current.get(name)
          if (before !== undefined) next.set(name, before)
        }
        this.#current = next
        this.#planned = new Map()
      }
    }
  }
}
