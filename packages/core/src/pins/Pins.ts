/**
 * The definitions of one server's tools that were approved, and what differs from them on any of its connections. (G24)
 */
import { Clock, Effect, Predicate } from "effect"
import { longestKey } from "../catalog/Bounds.js"
import * as ToolDefinition from "../catalog/ToolDefinition.js"
import { Hub } from "../internal/Hub.js"
import * as SafeLog from "../internal/SafeLog.js"
import { cut, json } from "../observe/PlainText.js"
import type { Definition, Found, Kept, PinStore } from "../port/PinStore.js"
import type { PinChange, PinStatus } from "../state/PinStatus.js"
import * as Comparison from "./Comparison.js"
import { difference, fieldsOf } from "./difference.js"

/** So many changes are logged one by one. */
const mostLogged = 10

/** What it needs to know of the server. */
export interface Options {
  /** Its name. */
  readonly server: string
  readonly mode: "warn" | "block"
  readonly store: PinStore
  /** How deeply a definition may be nested. */
  readonly maxDepth: number
  /** Whether callers are offered a tool, by the other options: what becomes of one that nobody gets is of no interest. Default: each. */
  readonly isOffered?: ((tool: string) => boolean) | undefined
}

/** The digests of definitions by the names of their tools: what one connection has listed. */
export type Seen = ReadonlyMap<string, string>

const nameOf = (tool: string): string => json(cut(tool, 200))

/** What has changed, for the log: one line. */
const describe = (server: string, { difference, kind, tool, withheld }: PinChange): string => {
  const name = nameOf(tool)
  if (kind === "removed") return `${server}: the server no longer has the tool ${name}`
  const what = kind === "added"
    ? `the tool ${name} is new since its tools were approved`
    : `the definition of the tool ${name} has changed since it was approved`
  return `${server}: ${what}${withheld ? ", so it is withheld" : ""}: ${difference.join("; ")}`
}

/** How a person approves what has changed. */
const remedy = (server: string): string =>
  `Whoever has checked that approves it: mcp-lifeline approve ${server}, or the status page`

const kindOf = ({ definition }: Found, approved: Definition | undefined): PinChange["kind"] =>
  definition === undefined ? "removed" : approved === undefined ? "added" : "changed"

const countOf = (changes: ReadonlyArray<PinChange>, kind: PinChange["kind"]): ReadonlyArray<string> => {
  const names = changes.filter((change) => change.kind === kind).map(({ tool }) => nameOf(tool))
  const more = names.length > 3 ? `, and ${names.length - 3} more` : ""
  return names.length === 0 ? [] : [`${kind} ${names.slice(0, 3).join(", ")}${more}`]
}

/** How a warning about a server begins whose tools are not as they were approved. */
export const notAsApproved = "its tools are not as they were approved"

/** Compares what the connections of one server list with what was approved. */
export class Pins {
  readonly mode: "warn" | "block"
  /** Tells that the status differs. */
  readonly changed = new Hub<void>()
  /** Tells that definitions were approved, here or by another program. */
  readonly approvals = new Hub<void>()
  readonly #options: Options
  #kept: Kept | undefined
  #approved: Seen = new Map()
  #changes: ReadonlyArray<PinChange> = []
  /** What a connection has offered last. */
  #offered: Seen | undefined
  /** What was logged, by tool and definition: several connections may differ, and each finds the same again and again. */
  readonly #logged = new Set<string>()

  constructor(options: Options) {
    this.#options = options
    this.mode = options.mode
  }

  /** Whether definitions were approved, as far as this program has read. */
  get isKnown(): boolean {
    return this.#kept !== undefined
  }

  /** Whether something waits for an approval. */
  get hasChanges(): boolean {
    return this.#changes.length > 0
  }

  /** The tools that the server has, and that are withheld. */
  get withheld(): ReadonlyArray<string> {
    return this.#changes.flatMap(({ tool, withheld }) => withheld ? [tool] : [])
  }

  /** Whether a definition is the approved one of its tool. */
  isApproved(tool: string, digest: string | undefined): boolean {
    return digest !== undefined && this.#approved.get(tool) === digest
  }

  /** The digest of a tool's definition; `undefined` if it has none that can be compared. */
  digestOf(tool: unknown): string | undefined {
    const text = ToolDefinition.textOf(tool, this.#options.maxDepth)
    return text === undefined ? undefined : this.#options.store.digest(text)
  }

  /** Compares all tools that a connection lists, or a part of them, and remembers them if they are the first. Returns what it has seen. */
  compare(tools: ReadonlyArray<unknown>, isWhole: boolean): Effect.Effect<Seen> {
    return Effect.gen(this, function*() {
      const { server, store } = this.#options
      const seen = this.#definitionsOf(tools)
      const now = yield* Clock.currentTimeMillis
      let isFirst = false
      const kept = yield* store.update((kept) => {
        isFirst = kept === undefined || kept.approved.length === 0
        return Comparison.compared(kept, seen, isWhole, now)
      })
      this.#take(kept)
      if (isFirst && seen.size > 0) {
        yield* SafeLog.info(`${server}: the definitions of its ${seen.size} tools are remembered (pin)`)
      }
      yield* this.#log
      return new Map(Array.from(seen, ([tool, { digest }]) => [tool, digest]))
    })
  }

  /** Takes what is kept, which another program may have approved. */
  get reload(): Effect.Effect<void> {
    return Effect.flatMap(this.#options.store.get, (kept) => Effect.sync(() => this.#take(kept ?? this.#kept)))
  }

  /** Approves what has changed, of one tool or of all. Returns the names of the tools. */
  approve(tool?: string): Effect.Effect<ReadonlyArray<string>> {
    return Effect.gen(this, function*() {
      const { server, store } = this.#options
      let names: ReadonlyArray<string> = []
      const kept = yield* store.update((kept) => {
        const approval = Comparison.approved(kept, tool)
        names = approval.tools
        return approval.kept
      })
      for (const key of [...this.#logged]) {
        if (names.some((name) => key.startsWith(`${name}\n`))) this.#logged.delete(key)
      }
      this.#take(kept)
      if (names.length > 0) {
        const listed = names.slice(0, mostLogged).map(nameOf).join(", ")
        const more = names.length > mostLogged ? `, and ${names.length - mostLogged} more` : ""
        yield* SafeLog.info(`${server}: approved as they are now: ${listed}${more}`)
      }
      return names
    })
  }

  get status(): PinStatus {
    const { mode, server } = this.#options
    const changes = this.#changes
    const counts = [
      ...countOf(changes, "changed"),
      ...countOf(changes, "added"),
      ...countOf(changes, "removed")
    ]
    const withheld = changes.some((change) => change.withheld)
    return {
      mode,
      changes,
      warning: counts.length === 0
        ? undefined
        : `${notAsApproved}: ${counts.join("; ")}${withheld ? "; what is not approved is withheld" : ""}. ${
          remedy(server)
        }`
    }
  }

  /** Notes which tools a connection offers. Returns whether these are others than before, on this connection or another one. */
  offers(seen: Seen): boolean {
    const offered = new Map(
      Array.from(seen).filter(([tool, digest]) => this.mode === "warn" || this.isApproved(tool, digest))
    )
    const before = this.#offered
    this.#offered = offered
    return before !== undefined && !isEqual(before, offered)
  }

  /** Why a tool is not to be called, of which a connection has listed this definition. */
  refusal(tool: string, digest: string | undefined): string | undefined {
    if (this.isApproved(tool, digest)) return undefined
    const { server } = this.#options
    const name = nameOf(tool)
    if (digest === undefined) {
      return `the tool ${name} was not called: ${server} does not list it, so nobody can have approved its definition (pin: "block")`
    }
    const what = this.#approved.has(tool)
      ? `the definition of the tool ${name} of ${server} has changed since it was approved`
      : `the tool ${name} of ${server} is new since its tools were approved`
    return `${what}, so it was not called (pin: "block"). ${remedy(server)}`
  }

  #definitionsOf(tools: ReadonlyArray<unknown>): ReadonlyMap<string, Definition> {
    const { maxDepth, store } = this.#options
    const found = new Map<string, Definition>()
    for (const tool of tools) {
      const name = Predicate.isRecord(tool) ? tool["name"] : undefined
      if (!Predicate.isString(name) || name.length > longestKey.tools || found.has(name)) continue
      const text = ToolDefinition.textOf(tool, maxDepth)
      if (text !== undefined) found.set(name, Comparison.definitionOf(text, store.digest))
    }
    return found
  }

  #take(kept: Kept | undefined): void {
    if (kept === this.#kept || kept === undefined) return
    const before = this.#approved
    this.#kept = kept
    const approved = new Map(kept.approved)
    this.#approved = new Map(kept.approved.map(([tool, { digest }]) => [tool, digest]))
    const { isOffered = () => true } = this.#options
    const changes = kept.found.filter(({ tool }) => isOffered(tool)).map((one): PinChange => {
      const known = approved.get(one.tool)
      const kind = kindOf(one, known)
      return {
        tool: one.tool,
        kind,
        since: one.since,
        withheld: this.mode === "block" && kind !== "removed",
        difference: kind === "removed"
          ? []
          : kind === "added"
          ? fieldsOf(one.definition?.text)
          : difference(known?.text, one.definition?.text)
      }
    })
    const isSame = JSON.stringify(changes) === JSON.stringify(this.#changes)
    this.#changes = changes
    const isApproval = before.size > 0 && !isEqual(before, this.#approved)
    if (isApproval) this.approvals.emit()
    if (isApproval || !isSame) this.changed.emit()
  }

  get #log(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { server } = this.#options
      const digests = new Map(this.#kept?.found.map(({ definition, tool }) => [tool, definition?.digest]))
      const fresh = this.#changes.filter(({ tool }) => {
        const key = `${tool}\n${digests.get(tool) ?? ""}`
        if (this.#logged.has(key)) return false
        this.#logged.add(key)
        return true
      })
      if (fresh.length === 0) return Effect.void
      const lines = fresh.slice(0, mostLogged).map((change) => describe(server, change))
      const more = fresh.length > mostLogged
        ? [`${server}: ${fresh.length - mostLogged} more tools are not as they were approved`]
        : []
      return Effect.forEach([...lines, ...more], (line) => SafeLog.warning(`${line}. ${remedy(server)}`), {
        discard: true
      })
    })
  }
}

const isEqual = (one: Seen, other: Seen): boolean =>
  one.size === other.size && Array.from(one).every(([tool, digest]) => other.get(tool) === digest)
