/**
 * The servers of a fleet's configuration, and what was made of them.
 */
import type { Backend } from "@mcp-lifeline/core"
import type { Problem } from "@mcp-lifeline/core/internal"
import { Incoming } from "@mcp-lifeline/protocol"
import { Equal, Redacted } from "effect"
import type { FleetConfig, FleetOptions, VsCodeConfig } from "../Options.js"
import type { Owner } from "./LazySignIn.js"
import type { Prepared } from "./Servers.js"
import * as Servers from "./Servers.js"

/** An object literal, or what JSON.parse makes, of whatever realm. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * A copy to compare with later: users edit what they gave and give it again. Functions and instances stay as they are, and so
 * does a provider, which changes as it works.
 */
const copy = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(copy)
    : isPlain(value)
    ? Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === "authProvider" ? inner : copy(inner)])
    )
    : value

/** Whether two copies are the same; instances but secrets by identity, because what they hold cannot be seen. */
const same = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (Redacted.isRedacted(a)) return Equal.equals(a, b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => same(value, b[i]))
  if (!isPlain(a) || !isPlain(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
}

interface Member {
  readonly copied: unknown
  readonly prepared: Prepared
}

/** What was made of each configured server, so that a server whose configuration is the same stays the same (L15). */
export class Members {
  readonly #options: FleetOptions
  readonly #makeClient: (name: string) => Promise<unknown>
  #ownerOf: ((name: string) => Owner) | undefined
  #current = new Map<string, Member>()
  /** What is being applied: its servers can ask before it is taken. */
  #planned = new Map<string, Member>()

  /** `makeClient`: called when a server asks for something before anybody has its client. */
  constructor(options: FleetOptions, makeClient: (name: string) => Promise<unknown>) {
    this.#options = options
    this.#makeClient = makeClient
  }

  /** Lets sign-ins belong to somebody, before there are backends. */
  own(ownerOf: (name: string) => Owner): void {
    this.#ownerOf = ownerOf
    for (const [name, { prepared }] of this.#planned) prepared.signIn?.own(ownerOf(name))
  }

  get(name: string): Prepared | undefined {
    return this.#current.get(name)?.prepared
  }

  /** What is known of a name, also while it is being applied. */
  find(name: string): Prepared | undefined {
    return (this.#planned.get(name) ?? this.#current.get(name))?.prepared
  }

  /** The incoming of a name, which stays the same where its configuration changes. */
  #incoming(name: string): Incoming {
    return this.find(name)?.incoming ?? new Incoming(() => this.#makeClient(name))
  }

  /**
   * What a configuration makes of the members; `commit` takes it. Throws a ConfigError of all that is wrong with it, and of the
   * problems that were found before.
   */
  plan(config: FleetConfig | VsCodeConfig, problems?: ReadonlyArray<Problem.Problem>): {
    readonly backends: Readonly<Record<string, Backend.BackendOptions>>
    /** Takes it, but for the names whose backend stayed as it was. */
    readonly commit: (kept: ReadonlyArray<string>) => void
  } {
    this.#planned = new Map()
    const next = new Map<string, Member>()
    for (const [name, server] of Servers.readAll(config, this.#options, problems)) {
      const copied = copy(server)
      const known = this.#current.get(name)
      if (known !== undefined && same(known.copied, copied)) next.set(name, known)
      else {
        const prepared = Servers.prepare(name, server, this.#options, this.#incoming(name))
        if (this.#ownerOf !== undefined) prepared.signIn?.own(this.#ownerOf(name))
        next.set(name, { copied, prepared })
      }
    }
    this.#planned = next
    return {
      backends: Object.fromEntries([...next].map(([name, { prepared }]) => [name, prepared.options])),
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
