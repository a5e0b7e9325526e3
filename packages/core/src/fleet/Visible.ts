/** What one caller may use of a fleet, as a fleet of its own. */
import { constTrue } from "effect/Function"
import type { Snapshot } from "../catalog/Catalog.js"
import { CatalogIndex, type Destination } from "./CatalogIndex.js"
import { Source } from "./Claim.js"
import { Catalogue, type FleetCatalog, type Share } from "./FleetCatalog.js"
import * as Names from "./names.js"

/** Compared by identity. */
export interface Visible {
  readonly isWhole: boolean
  readonly hasServer: (backend: string) => boolean
  readonly hasTool: (backend: string, original: string) => boolean
}

export const everything: Visible = { isWhole: true, hasServer: constTrue, hasTool: constTrue }

const most = 64

export const perVisible = <A>(make: (visible: Visible) => A): (visible: Visible) => A => {
  const known = new Map<Visible, A>()
  return (visible) => {
    const made = known.get(visible) ?? make(visible)
    known.delete(visible)
    known.set(visible, made)
    const [oldest] = known.keys()
    if (known.size > most && oldest !== undefined) known.delete(oldest)
    return made
  }
}

const seen = ({ backend, snapshot }: Share, { hasTool }: Visible): Snapshot => {
  const tools = snapshot.tools.filter(({ name }) => hasTool(backend, name))
  return tools.length === snapshot.tools.length ? snapshot : { ...snapshot, tools }
}

const make = ({ shares }: Catalogue, visible: Visible): CatalogIndex => {
  const index = new CatalogIndex()
  const shown = shares.filter(({ backend }) => visible.hasServer(backend))
  index.arrange(shown.map((share) => {
    const source = new Source(share.backend)
    index.rename(source, share.prefix)
    index.offer(source, seen(share, visible))
    return source
  }))
  return index
}

const known = new WeakMap<FleetCatalog, (visible: Visible) => CatalogIndex>()

/** `catalog`: of a fleet, not made for a caller. */
export const namesOf = (catalog: FleetCatalog, visible: Visible): CatalogIndex => {
  if (!(catalog instanceof Catalogue)) throw new TypeError("not the catalogue of a fleet")
  const all = known.get(catalog) ?? perVisible((visible) => make(catalog, visible))
  known.set(catalog, all)
  return all(visible)
}

export const catalog = (all: CatalogIndex, visible: Visible): Catalogue =>
  visible.isWhole ? all.catalog : namesOf(all.catalog, visible).catalog

export const route = (all: CatalogIndex, visible: Visible, wanted: Names.Wanted): Destination | undefined => {
  const { kind, name } = wanted
  if (visible.isWhole) return all.route(kind, name)
  const { hasServer, hasTool } = visible
  if (kind === "resources" && Names.parseScopedUri(name) !== undefined) {
    const scoped = all.route(kind, name)
    return scoped !== undefined && hasServer(scoped.backend) ? scoped : undefined
  }
  const names = namesOf(all.catalog, visible)
  if (names.catalog[kind].has(name)) return names.route(kind, name)
  return all.withdrawn(kind, name).find(({ backend, original }) =>
    kind === "tools" ? hasTool(backend, original) : hasServer(backend)
  ) ?? names.route(kind, name)
}
