/** Decides for which lists a client needs a notification: those that may differ from what it has read. */
import type { Catalog, Event, Status } from "@mcp-lifeline/core"
import { Kind } from "@mcp-lifeline/core/internal"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream } from "effect"
import type { ListMethod } from "../listMethods.js"
import type { Receiver } from "./Incoming.js"
import * as ListState from "./ListState.js"
import * as ListWatch from "./ListWatch.js"
import { asItComes, type Relay } from "./Relay.js"

const declarationOf = (kind: Kind.Kind) => kind === "resourceTemplates" ? "resources" : kind

export const notificationsOf = (kinds: ReadonlyArray<Kind.Kind>): ReadonlyArray<string> => [
  ...new Set(kinds.map(Kind.changeOf))
]

/** With `listChanged` for every list: it can differ after a restart. */
export const announcing = (capabilities: ServerCapabilities): ServerCapabilities => ({
  ...capabilities,
  ...Object.fromEntries(
    Kind.kinds.map(declarationOf).flatMap((kind) =>
      capabilities[kind] === undefined ? [] : [[kind, { ...capabilities[kind], listChanged: true }]]
    )
  )
})

export interface Source extends ListWatch.WatchedTarget {
  readonly status: () => Status
  readonly events: Stream.Stream<Event.Event>
}

export type Announcing = Required<Pick<Receiver, "heard" | "notified">>

interface Published {
  readonly generation: number
  readonly lists: ReturnType<typeof Kind.byKind<ListState.ListState>> | undefined
}

/**
 * Notifies a client of lists that have changed without a notification, until the events of the source end. `schemaOf`: decodes lists as the
 * client gets them.
 */
export const announce = (
  source: Source,
  relay: Relay,
  declared: () => ServerCapabilities | undefined,
  schemaOf: (method: ListMethod) => unknown = () => asItComes
): Announcing => {
  /** At first, the connection whose capabilities the client has got. */
  let last: Published = { generation: source.status().generation, lists: undefined }
  /** By what the server has sent: whether since the last difference. */
  const sent = new Map<string, boolean>()
  const pass = (kinds: ReadonlyArray<Kind.Kind>): void => {
    const isDue = (kind: Kind.Kind): boolean =>
      declared()?.[declarationOf(kind)]?.listChanged === true || sent.has(Kind.changeOf(kind))
    for (const method of notificationsOf(kinds.filter(isDue))) relay.pass({ method })
  }
  const published = (snapshot: Catalog.Snapshot | undefined): void => {
    if (snapshot === undefined || snapshot.stale) return
    const { generation, lists: before } = last
    const lists = Kind.byKind((kind) => ListState.and(ListState.none, kind, { ...snapshot }))
    last = { generation: snapshot.generation, lists }
    const isOther = generation !== last.generation
    // The client may have read the lists of a connection that was lost before we had read them.
    if (before === undefined) return pass(isOther ? Kind.kinds : [])
    const differing = Kind.kinds.filter((kind) => ListState.differs(before[kind], lists[kind]))
    // What the server announces itself has been passed on.
    const news = differing.filter((kind) => isOther || sent.get(Kind.changeOf(kind)) !== true)
    for (const method of notificationsOf(differing)) if (sent.has(method)) sent.set(method, false)
    pass(news)
  }
  const watch = ListWatch.make({
    target: source,
    schemaOf,
    isWatched: () => source.status().catalog !== undefined,
    onChanged: pass
  })
  relay.watchLists(source.fork)
  relay.listings.onResult = (method, params, result) => watch.given(method, params, result)
  const read = Effect.map(source.use((backend) => backend.catalog), published)
  // Whoever asks for a catalogue that there is has nothing read.
  const now = source.status().catalog === undefined ? Effect.void : read
  const later = Stream.runForEach(source.events, (event) => {
    if (event._tag === "CatalogChanged" && event.revision !== undefined && !event.stale) return read
    return event._tag === "Installed" ? Effect.sync(() => watch.compare()) : Effect.void
  })
  source.fork(Effect.zipRight(Effect.fork(watch.work), Effect.zipRight(now, later)))
  return {
    heard: (hearing) => {
      // What was passed before says nothing of the next difference.
      for (const method of sent.keys()) sent.set(method, false)
      watch.heard(hearing)
    },
    notified: (notification) => {
      const { method } = notification
      if (Kind.kinds.some((kind) => Kind.changeOf(kind) === method)) sent.set(method, true)
      relay.pass(notification)
    }
  }
}
