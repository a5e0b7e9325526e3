/**
 * Decides for which lists a client needs a notification: those that differ, or may differ, from what it has read.
 */
import type { Catalog, Event, Status } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Relay, Target } from "./Relay.js"

type Snapshot = Catalog.Snapshot
type Kind = "tools" | "prompts" | "resources"

const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources"]

/** The list that a method of the protocol reads. */
const lists = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resources"
} as const
const listOf: Readonly<Record<string, Kind>> = lists

/** The notification about changed lists of a kind. */
const changeOf = (kind: Kind): string => `notifications/${kind}/list_changed`

/** The notification about a changed list, by the method that reads the list. */
export const notificationOf = (method: keyof typeof lists): string => changeOf(lists[method])

/** The capabilities of a server, with `listChanged` for every list, because a list can differ after a restart. */
export const announcing = (capabilities: ServerCapabilities): ServerCapabilities => {
  const { prompts, resources, tools } = capabilities
  return {
    ...capabilities,
    ...(tools === undefined ? {} : { tools: { ...tools, listChanged: true } }),
    ...(prompts === undefined ? {} : { prompts: { ...prompts, listChanged: true } }),
    ...(resources === undefined ? {} : { resources: { ...resources, listChanged: true } })
  }
}

/** The kinds of lists for which the client was given `listChanged`. */
export type Declared = () => ServerCapabilities | undefined

const same = (a: Snapshot, b: Snapshot, kind: Kind): boolean =>
  isDeepStrictEqual(a[kind], b[kind]) &&
  (kind !== "resources" || isDeepStrictEqual(a.resourceTemplates, b.resourceTemplates))

/** A target with observable state. */
export interface Source extends Target {
  readonly status: () => Status
  readonly events: Stream.Stream<Event.Event>
}

/** Notifies a client of lists that have changed in a restart, until the events of the source end. */
export const announce = (source: Source, relay: Relay, declared: Declared): void => {
  const changes = new ListChanges(declared, source.status().generation)
  const read = Effect.map(source.use((backend) => backend.catalog), (snapshot) => changes.next(snapshot))
  // Whoever asks for a catalogue that there is has nothing read.
  const now = source.status().catalog === undefined ? Stream.empty : Stream.fromEffect(read)
  const later = source.events.pipe(
    Stream.mapEffect((event) => {
      if (event._tag === "CatalogChanged" && event.revision !== undefined && !event.stale) return read
      const isUnread = event._tag === "Installed" && event.generation > 1 && source.status().catalog === undefined
      return Effect.succeed(isUnread ? changes.unread(relay.methods) : [])
    })
  )
  source.fork(
    Stream.runForEach(Stream.concat(now, later), (methods) =>
      Effect.sync(() => {
        for (const method of methods) relay.pass({ method })
      }))
  )
}

/** Compares the catalogues of one backend in the order in which they are published. */
export class ListChanges {
  readonly #declared: Declared
  readonly #generation: number
  #known: Snapshot | undefined

  /** `generation`: the connection whose capabilities the client has got. */
  constructor(declared: Declared, generation: number) {
    this.#declared = declared
    this.#generation = generation
  }

  /** Takes the next catalogue, and returns the notifications that are due. */
  next(snapshot: Snapshot | undefined): ReadonlyArray<string> {
    if (snapshot === undefined || snapshot.stale) return []
    const before = this.#known
    this.#known = snapshot
    return this.#due((kind) => this.#isNews(before, snapshot, kind))
  }

  /**
   * Handles a new connection whose lists nobody reads: returns the notifications for those lists that the client has requested so far.
   */
  unread(asked: Set<string>): ReadonlyArray<string> {
    const read = new Set([...asked].flatMap((method) => listOf[method] ?? []))
    asked.clear()
    return this.#due((kind) => read.has(kind))
  }

  /** The notifications for lists of some kinds, as far as they are declared. */
  #due(isDue: (kind: Kind) => boolean): ReadonlyArray<string> {
    const declared = this.#declared()
    return kinds.filter((kind) => declared?.[kind]?.listChanged === true && isDue(kind))
      .map(changeOf)
  }

  #isNews(before: Snapshot | undefined, snapshot: Snapshot, kind: Kind): boolean {
    // The client may have read the lists of a connection that was lost before we had read them.
    if (before === undefined) return snapshot.generation !== this.#generation
    // What the server announces itself has been passed on.
    if (before.generation === snapshot.generation && snapshot.capabilities[kind]?.listChanged === true) return false
    return !same(before, snapshot, kind)
  }
}
