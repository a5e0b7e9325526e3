import type { CatalogIndex, Destination, Routed } from "./CatalogIndex.js"
import type { Catalogue } from "./FleetCatalog.js"
import * as Names from "./names.js"
import { namesOf, type Visible } from "./Visible.js"

export class FleetView implements Pick<CatalogIndex, "catalog" | "isBefore" | "prefixOf" | "route"> {
  readonly #all: CatalogIndex
  readonly #visible: Visible

  constructor(all: CatalogIndex, visible: Visible) {
    this.#all = all
    this.#visible = visible
  }

  get catalog(): Catalogue {
    return namesOf(this.#all.catalog, this.#visible).catalog
  }

  isBefore(id: string, other: string): boolean {
    return this.#all.isBefore(id, other)
  }

  prefixOf(id: string): string {
    return this.#all.prefixOf(id)
  }

  route(kind: Routed, name: string): Destination | undefined {
    const { hasServer, hasTool } = this.#visible
    if (kind === "resources" && Names.parseScopedUri(name) !== undefined) {
      const scoped = this.#all.route(kind, name)
      return scoped !== undefined && hasServer(scoped.backend) ? scoped : undefined
    }
    const names = namesOf(this.#all.catalog, this.#visible)
    if (names.catalog[kind].has(name)) return names.route(kind, name)
    return this.#all.withdrawn(kind, name).find(({ backend, original }) =>
      kind === "tools" ? hasTool(backend, original) : hasServer(backend)
    ) ?? names.route(kind, name)
  }
}
