/** What one caller may use of a fleet, as a fleet of its own. */
import type { Snapshot } from "../catalog/Catalog.js"
import { CatalogIndex } from "./CatalogIndex.js"
import { CatalogSource } from "./Claim.js"
import { Catalogue, type FleetCatalog, type Share } from "./FleetCatalog.js"

/** Compared by identity. */
export interface Visible {
  readonly isWhole: boolean
  readonly hasServer: (backend: string) => boolean
  readonly hasTool: (backend: string, original: string) => boolean
}

const most = 64

export class PerVisible<A> {
  readonly #known = new Map<Visible, A>()

  get(visible: Visible, make: () => A): A {
    const known = this.#known.get(visible) ?? make()
    this.#known.delete(visible)
    this.#known.set(visible, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > most && oldest !== undefined) this.#known.delete(oldest)
    return known
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
    const source = new CatalogSource(share.backend)
    index.rename(source, share.prefix)
    index.offer(source, seen(share, visible))
    return source
  }))
  return index
}

const known = new WeakMap<FleetCatalog, PerVisible<CatalogIndex>>()

/** `catalog`: of a fleet, not made for a caller. */
export const namesOf = (catalog: FleetCatalog, visible: Visible): CatalogIndex => {
  if (!(catalog instanceof Catalogue)) throw new TypeError("not the catalogue of a fleet")
  const all = known.get(catalog) ?? new PerVisible<CatalogIndex>()
  known.set(catalog, all)
  return all.get(visible, () => make(catalog, visible))
}
