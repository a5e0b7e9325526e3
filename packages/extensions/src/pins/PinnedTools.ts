/** Compares the tools of all connections of one server. (G24) */
import { Hub, Kind, SafeLog } from "@mcp-lifeline/core/internal"
import { Clock, Effect, Predicate } from "effect"
import type { PinChange, PinStatus } from "../PinStatus.js"
import {
  type Definition,
  type Found,
  isUnreadable,
  type Kept,
  type PinStore,
  type Reading,
  type Unreadable
} from "../PinStore.js"
import * as Comparison from "./Comparison.js"
import { type Difference, difference, fieldsOf } from "./difference.js"
import { LoggedChanges } from "./LoggedChanges.js"
import {
  describe,
  firstSight,
  moreChanged,
  nameOf,
  noMoreLogged,
  refusals,
  remedy,
  summaryOf,
  unreadableWarning,
  warningOf
} from "./messages.js"
import * as ToolDefinition from "./ToolDefinition.js"

const mostLogged = 10

export interface Options {
  readonly server: string
  readonly mode: "warn" | "block"
  readonly store: PinStore
  readonly maxDepth: number
  /** Changes of others are ignored. Default: each is. */
  readonly isOffered?: ((tool: string) => boolean) | undefined
}

/** By tool: what one connection has listed. */
export type Seen = ReadonlyMap<string, string>

const kindOf = ({ definition }: Found, approved: Definition | undefined): PinChange["kind"] =>
  definition === undefined ? "removed" : approved === undefined ? "added" : "changed"

const noDifference: Difference = { full: [], short: [] }

export class PinnedTools {
  readonly mode: "warn" | "block"
  readonly changed = new Hub<void>()
  /** Here or by another program. */
  readonly approvals = new Hub<void>()
  readonly #options: Options
  /** While it cannot be read: nothing approved, and what the server has listed. */
  #kept: Kept | undefined
  #unreadable: Unreadable | undefined
  #approved: Seen = new Map()
  #changes: ReadonlyArray<PinChange> = []
  #offered: Seen | undefined
  readonly #logged = new LoggedChanges()
  #loggedUnreadable: string | undefined

  constructor(options: Options) {
    this.#options = options
    this.mode = options.mode
  }

  /** As far as this program has read. */
  get isKnown(): boolean {
    return this.#kept !== undefined
  }

  get hasChanges(): boolean {
    return this.#changes.length > 0 || this.#unreadable !== undefined
  }

  get withheld(): ReadonlyArray<string> {
    return this.#changes.flatMap(({ tool, withheld }) => withheld ? [tool] : [])
  }

  isApproved(tool: string, digest: string | undefined): boolean {
    return digest !== undefined && this.#approved.get(tool) === digest
  }

  digestOf(tool: unknown): string | undefined {
    const text = ToolDefinition.textOf(tool, this.#options.maxDepth)
    return text === undefined ? undefined : this.#options.store.digest(text)
  }

  /** Remembers the tools if they are the first. `isWhole`: these are all. */
  compare(tools: ReadonlyArray<unknown>, isWhole: boolean): Effect.Effect<Seen> {
    return Effect.gen(this, function*() {
      const { mode, server, store } = this.#options
      const seen = this.#definitionsOf(tools)
      const now = yield* Clock.currentTimeMillis
      let isFirst = false
      const found = yield* store.update((found) => {
        isFirst = found === undefined
        return isUnreadable(found) ? found : Comparison.compared(found, seen, isWhole, now)
      })
      if (isUnreadable(found)) this.#take(Comparison.compared(this.#unknown, seen, isWhole, now), found)
      else this.#take(found)
      if (isFirst && seen.size > 0) yield* SafeLog.warning(firstSight(server, mode, seen.size))
      yield* this.#log
      return new Map(Array.from(seen, ([tool, { digest }]) => [tool, digest]))
    })
  }

  /** Another program may have approved something. */
  get reload(): Effect.Effect<void> {
    return Effect.map(this.#options.store.get, (found) => this.#takeFound(found))
  }

  get approve(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.gen(this, function*() {
      const { server, store } = this.#options
      let names: ReadonlyArray<string> = []
      const found = yield* store.update((found) => {
        const known = isUnreadable(found) ? this.#kept : found
        if (isUnreadable(found) && (known === undefined || isEmpty(known))) return undefined
        const approval = Comparison.approved(known)
        names = approval.tools
        return approval.kept
      })
      this.#takeFound(found)
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
    const [changes, unreadable] = [this.#changes, this.#unreadable]
    return {
      mode,
      changes,
      ...(unreadable === undefined ? {} : { unreadable: { file: unreadable.file, reason: unreadable.reason } }),
      warning: unreadable === undefined ? warningOf(server, changes) : unreadableWarning(server, mode, unreadable)
    }
  }

  /** Whether the tools differ from those offered before. */
  offers(seen: Seen): boolean {
    const offered = new Map(
      Array.from(seen).filter(([tool, digest]) => this.mode === "warn" || this.isApproved(tool, digest))
    )
    const before = this.#offered
    this.#offered = offered
    return before !== undefined && !isEqual(before, offered)
  }

  /** `digest`: what the connection has listed. */
  refusal(tool: string, digest: string | undefined): string | undefined {
    if (this.isApproved(tool, digest)) return undefined
    const { server } = this.#options
    if (this.#unreadable !== undefined) return refusals.unreadable(server, tool)
    if (digest === undefined) return refusals.unlisted(server, tool)
    return this.#approved.has(tool) ? refusals.changed(server, tool) : refusals.added(server, tool)
  }

  #definitionsOf(tools: ReadonlyArray<unknown>): ReadonlyMap<string, Definition> {
    const { maxDepth, store } = this.#options
    const found = new Map<string, Definition>()
    for (const tool of tools) {
      const name = Predicate.isRecord(tool) ? tool["name"] : undefined
      if (!Predicate.isString(name) || name.length > Kind.longestKey.tools || found.has(name)) continue
      const text = ToolDefinition.textOf(tool, maxDepth)
      if (text !== undefined) found.set(name, Comparison.definitionOf(text, store.digest))
    }
    return found
  }

  get #unknown(): Kept {
    return this.#unreadable !== undefined && this.#kept !== undefined ? this.#kept : { approved: [], found: [] }
  }

  #takeFound(found: Reading): void {
    if (isUnreadable(found)) this.#take(this.#unknown, found)
    else this.#take(found)
  }

  /** `unreadable`: why this is not kept. */
  #take(kept: Kept | undefined, unreadable?: Unreadable): void {
    const wasUnreadable = this.#unreadable
    // If something was kept and is gone, what was read of it still counts.
    if (kept === undefined && wasUnreadable === undefined) return
    const isSameReason = wasUnreadable?.file === unreadable?.file && wasUnreadable?.reason === unreadable?.reason
    if (kept === this.#kept && isSameReason) return
    const before = this.#approved
    const isFirst = this.#kept === undefined
    this.#kept = kept
    this.#unreadable = unreadable
    this.#approved = new Map(kept?.approved.map(([tool, { digest }]) => [tool, digest]))
    this.#logged.forget((tool) => before.get(tool) !== this.#approved.get(tool))
    const changes = kept === undefined ? [] : this.#changesOf(kept)
    const isSame = isSameReason && JSON.stringify(changes) === JSON.stringify(this.#changes)
    this.#changes = changes
    const isKnownAgain = wasUnreadable !== undefined && unreadable === undefined
    const isApproval = isKnownAgain || !(isFirst || isEqual(before, this.#approved))
    if (isApproval) this.approvals.emit()
    if (isApproval || !isSame) this.changed.emit()
  }

  #changesOf(kept: Kept): ReadonlyArray<PinChange> {
    const approved = new Map(kept.approved)
    const { isOffered = () => true } = this.#options
    return kept.found.filter(({ tool }) => isOffered(tool)).map((one): PinChange => {
      const known = approved.get(one.tool)
      const kind = this.#unreadable === undefined ? kindOf(one, known) : "unknown"
      const found = kind === "removed"
        ? noDifference
        : kind === "changed"
        ? difference(known?.text, one.definition?.text)
        : fieldsOf(one.definition?.text)
      return {
        tool: one.tool,
        kind,
        since: one.since,
        withheld: this.mode === "block" && kind !== "removed",
        difference: found.full,
        summary: summaryOf(this.#options.server, found)
      }
    })
  }

  get #log(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { mode, server } = this.#options
      if (this.#unreadable !== undefined) {
        const line = unreadableWarning(server, mode, this.#unreadable)
        if (this.#loggedUnreadable === line) return Effect.void
        this.#loggedUnreadable = line
        return SafeLog.warning(`${server}: ${line}`)
      }
      const digests = new Map(this.#kept?.found.map(({ definition, tool }) => [tool, definition?.digest]))
      const fresh = this.#changes.flatMap((change) => {
        const logging = this.#logged.add(change.tool, digests.get(change.tool) ?? "")
        return logging === "known" ? [] : [{ change, isLast: logging === "last" }]
      })
      if (fresh.length === 0) return Effect.void
      const lines = fresh.slice(0, mostLogged).map(({ change }) => describe(server, change))
      const more = fresh.length > mostLogged
        ? [moreChanged(server, fresh.length - mostLogged)]
        : []
      const last = fresh.some(({ isLast }) => isLast) ? [noMoreLogged(server)] : []
      return Effect.forEach([...lines, ...more, ...last], (line) => SafeLog.warning(`${line}. ${remedy(server)}`), {
        discard: true
      })
    })
  }
}

const isEmpty = ({ approved, found }: Kept): boolean => approved.length + found.length === 0

const isEqual = (one: Seen, other: Seen): boolean =>
  one.size === other.size && Array.from(one).every(([tool, digest]) => other.get(tool) === digest)
