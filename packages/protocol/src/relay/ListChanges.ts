/**
 * Which lists a client has to be told of: those that differ, or may differ, from what it has read.
 */
import type { Catalog, Event, Status } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Runtime, Stream } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Relay, Target } from "./Relay.js"

type Snapshot = Catalog.Snapshot
type Kind = "tools" | "prompts" | "resources"

const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources"]

/** Which list a method of the protocol reads. */
const lists = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resources"
} as const
const listOf: Readonly<Record<string, Kind>> = lists

/** The notification that lists of a kind have changed. */
const changeOf = (kind: Kind): string => `notifications/${kind}/list_changed`

/** The notification that a list has changed, by the method that reads it. */
export const notificationOf = (method: keyof typeof lists): string => changeOf(lists[method])

/** What a server can do, and that its lists may change: after a restart they can differ, whatever the server announces. */
export const announcing = (capabilities: ServerCapabilities): ServerCapabilities => {
  const { prompts, resources, tools } = capabilities
  return {
    ...capabilities,
    ...(tools === undefined ? {} : { tools: { ...tools, listChanged: true } }),
    ...(prompts === undefined ? {} : { prompts: { ...prompts, listChanged: true } }),
    ...(resources === undefined ? {} : { resources: { ...resources, listChanged: true } })
  }
}

/** What the client was told that the server can do: which of its lists may change. */
export type Declared = () => ServerCapabilities | undefined

const same = (a: Snapshot, b: Snapshot, kind: Kind): boolean =>
  isDeepStrictEqual(a[kind], b[kind]) &&
  (kind !== "resources" || isDeepStrictEqual(a.resourceTemplates, b.resourceTemplates))

/** A target whose state is seen. */
export interface Source extends Target {
  readonly status: () => Status
  readonly events: Stream.Stream<Event.Event>
}

/** Tells a client of the lists that have changed over a restart, as long as the source has events. */
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
  Runtime.runFork(source.runtime)(
    Stream.runForEach(Stream.concat(now, later), (methods) =>
      Effect.sync(() => {
        for (const method of methods) relay.pass({ method })
      }))
  )
}

/** The catalogues of one backend in the order in which they are published. */
export class ListChanges {
  readonly #declared: Declared
  readonly #generation: number
  #known: Snapshot | undefined

  /** `generation`: the connection by which the client was told what the server can do. */
  constructor(declared: Declared, generation: number) {
    this.#declared = declared
    this.#generation = generation
  }

  /** Takes the next catalogue; gives the notifications that are due. */
  next(snapshot: Snapshot | undefined): ReadonlyArray<string> {
    if (snapshot === undefined || snapshot.stale) return []
    const before = this.#known
    this.#known = snapshot
    return this.#due((kind) => this.#isNews(before, snapshot, kind))
  }

  /**
   * There is a new connection whose lists nobody reads: gives the notifications for those that the client has read, by what it
   * has asked for so far.
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
