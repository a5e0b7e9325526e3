import type { McpConfig } from "@mcp-lifeline/config"
import { Tools } from "@mcp-lifeline/core/options"
import { type Caller, stranger } from "@mcp-lifeline/http-server/Caller"
import * as Access from "./Access.js"
import { valuesOf } from "./claims.js"
import * as NamedCaller from "./NamedCaller.js"

type Listener = (removed: ReadonlyArray<Caller>) => void

export interface AccessControl {
  readonly of: (caller: Caller) => Access.Access
  /** Calls it after each change, with the callers that are let in no more. Returns a function that removes it. */
  readonly whenChanged: (listener: Listener) => () => void
}

export const open: AccessControl = { of: () => Access.everything, whenChanged: () => () => undefined }

export class RulesInUse implements AccessControl {
  #rules: McpConfig.Access | undefined
  #clients = new Map<string, Access.Access>()
  /** By the indexes of its groups. */
  #groups = new Map<string, Access.Access>()
  #known = new WeakMap<Caller, Access.Access>()
  readonly #listeners = new Set<Listener>()

  constructor(rules: McpConfig.Access | undefined) {
    this.#use(rules)
  }

  set(rules: McpConfig.Access | undefined): void {
    const before = [...this.#clients.keys()]
    this.#use(rules)
    this.changed(before.filter((name) => !this.#clients.has(name)).map(NamedCaller.of))
  }

  changed(removed: ReadonlyArray<Caller> = []): void {
    for (const listener of this.#listeners) listener(removed)
  }

  of(caller: Caller): Access.Access {
    if (caller === stranger) return Access.nothing
    if (caller.subject === "") return Access.everything
    const known = this.#known.get(caller)
    if (known !== undefined) return known
    const found = this.#find(caller)
    this.#known.set(caller, found)
    return found
  }

  whenChanged(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #use(rules: McpConfig.Access | undefined): void {
    this.#rules = rules
    this.#clients = new Map(rules?.clients.map(({ name, rules }) => [name, Access.of([rules], this.#rules?.servers)]))
    this.#groups = new Map()
    this.#known = new WeakMap()
  }

  #find(caller: Caller): Access.Access {
    const client = NamedCaller.nameOf(caller)
    if (client !== undefined) return this.#clients.get(client) ?? Access.nothing
    const groups = this.#rules?.groups
    if (groups === undefined) return Access.withoutRules
    const own = groups.flatMap(({ claim, value }, index) =>
      valuesOf(caller.claims, claim).some((one) => Tools.matches(value, one)) ? [index] : []
    )
    const key = own.join(",")
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const found = Access.of(own.flatMap((index) => groups[index]?.rules ?? []), this.#rules?.servers)
    this.#groups.set(key, found)
    return found
  }
}
