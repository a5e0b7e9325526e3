/** Decides for which lists a client needs a notification: those that may differ from what it has read. */
import type { Catalog, Event, Hearing, ServerNotification, Status } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream } from "effect"
import { isDeepStrictEqual } from "node:util"
import { type ListMethod, listMethods, lists } from "../listMethods.js"
import type { Receiver } from "./Incoming.js"
import { ListWatch, type WatchedTarget } from "./ListWatch.js"
import { asItComes, type Relay } from "./Relay.js"

type Snapshot = Catalog.Snapshot
type Kind = "tools" | "prompts" | "resources"

const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources"]

const changeOf = (kind: Kind): string => `notifications/${kind}/list_changed`

const kindOf = (method: ListMethod): Kind => {
  const kind = lists[method]
  return kind === "resourceTemplates" ? "resources" : kind
}

export const notificationOf = (method: ListMethod): string => changeOf(kindOf(method))

/** With `listChanged` for every list, because a list can differ after a restart. */
export const announcing = (capabilities: ServerCapabilities): ServerCapabilities => {
  const { prompts, resources, tools } = capabilities
  return {
    ...capabilities,
    ...(tools === undefined ? {} : { tools: { ...tools, listChanged: true } }),
    ...(prompts === undefined ? {} : { prompts: { ...prompts, listChanged: true } }),
    ...(resources === undefined ? {} : { resources: { ...resources, listChanged: true } })
  }
}

const isChange = (notification: string): boolean =>
  listMethods.some((method) => notificationOf(method) === notification)

export type Declared = () => ServerCapabilities | undefined

const same = (a: Snapshot, b: Snapshot, kind: Kind): boolean =>
  isDeepStrictEqual(a[kind], b[kind]) &&
  (kind !== "resources" || isDeepStrictEqual(a.resourceTemplates, b.resourceTemplates))

export const notificationsOf = (methods: ReadonlyArray<ListMethod>): ReadonlyArray<string> => [
  ...new Set(methods.map(notificationOf))
]

export interface Source extends WatchedTarget {
  readonly status: () => Status
  readonly events: Stream.Stream<Event.Event>
}

export type Announcing = Required<Pick<Receiver, "heard" | "notified">>

/**
 * Notifies a client of lists that have changed without a notification, until the events of the source end. `schemaOf`: decodes lists as the
 * client gets them.
 */
export const announce = (
  source: Source,
  relay: Relay,
  declared: Declared,
  schemaOf: (method: ListMethod) => unknown = () => asItComes
): Announcing => {
  const changes = new ListChanges(declared, source.status().generation)
  const watch = new ListWatch({
    target: source,
    schemaOf,
    isWatched: () => source.status().catalog !== undefined,
    onChanged: (methods) => {
      for (const method of changes.differing(methods)) relay.pass({ method })
    }
  })
  const heard = (hearing: Hearing): void => {
    changes.forgetPassed()
    watch.heard(hearing)
  }
  const notified = (notification: ServerNotification): void => {
    if (isChange(notification.method)) changes.announced(notification.method)
    relay.pass(notification)
  }
  relay.watchLists(source.fork)
  relay.listings.onResult = (method, params, result) => watch.given(method, params, result)
  const read = Effect.map(source.use((backend) => backend.catalog), (snapshot) => changes.next(snapshot))
  // Whoever asks for a catalogue that there is has nothing read.
  const now = source.status().catalog === undefined ? Stream.empty : Stream.fromEffect(read)
  const later = source.events.pipe(
    Stream.mapEffect((event) => {
      if (event._tag === "CatalogChanged" && event.revision !== undefined && !event.stale) return read
      if (event._tag === "Installed") watch.compare()
      return Effect.succeed([])
    })
  )
  const following = Stream.runForEach(Stream.concat(now, later), (methods) =>
    Effect.sync(() => {
      for (const method of methods) relay.pass({ method })
    }))
  source.fork(Effect.zipRight(Effect.fork(watch.work), following))
  return { heard, notified }
}

export class ListChanges {
  readonly #declared: Declared
  readonly #generation: number
  #known: Snapshot | undefined
  /** The notifications of the server since the last difference. */
  readonly #passed = new Set<string>()
  /** All that the server has sent, declared or not. */
  readonly #said = new Set<string>()

  /** `generation`: the connection whose capabilities the client has got. */
  constructor(declared: Declared, generation: number) {
    this.#declared = declared
    this.#generation = generation
  }

  next(snapshot: Snapshot | undefined): ReadonlyArray<string> {
    if (snapshot === undefined || snapshot.stale) return []
    const before = this.#known
    this.#known = snapshot
    return this.#due((kind) => this.#isNews(before, snapshot, kind))
  }

  differing(methods: ReadonlyArray<ListMethod>): ReadonlyArray<string> {
    return this.#due((kind) => methods.some((method) => kindOf(method) === kind))
  }

  announced(method: string): void {
    this.#passed.add(method)
    this.#said.add(method)
  }

  /** What was passed before says nothing of the next difference. */
  forgetPassed(): void {
    this.#passed.clear()
  }

  #due(isDue: (kind: Kind) => boolean): ReadonlyArray<string> {
    const declared = this.#declared()
    return kinds.filter((kind) =>
      (declared?.[kind]?.listChanged === true || this.#said.has(changeOf(kind))) && isDue(kind)
    ).map(changeOf)
  }

  #isNews(before: Snapshot | undefined, snapshot: Snapshot, kind: Kind): boolean {
    // The client may have read the lists of a connection that was lost before we had read them.
    if (before === undefined) return snapshot.generation !== this.#generation
    if (same(before, snapshot, kind)) return false
    // What the server announces itself has been passed on.
    return !this.#passed.delete(changeOf(kind)) || before.generation !== snapshot.generation
  }
}
