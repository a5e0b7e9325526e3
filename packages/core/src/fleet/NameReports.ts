import { Catalogue, type FleetCatalog } from "./FleetCatalog.js"

const mostOfOne = 20

export interface NameReport {
  readonly backend: string
  readonly message: string
}

export class NameReports {
  readonly #said = new Map<string, Set<string>>()

  /** No resources: servers often share a URI; only the status reports it. */
  take(catalog: FleetCatalog): ReadonlyArray<NameReport> {
    if (!(catalog instanceof Catalogue)) return []
    return catalog.renames.flatMap(({ backend, kind, message }) =>
      kind === "tools" || kind === "prompts" ? this.once(backend, message) : []
    )
  }

  once(backend: string, message: string): ReadonlyArray<NameReport> {
    const said = this.#said.get(backend) ?? new Set()
    this.#said.set(backend, said)
    if (said.has(message) || said.size > mostOfOne) return []
    said.add(message)
    return [{
      backend,
      message: said.size <= mostOfOne
        ? message
        : `${backend} offers more names that are changed here; the warnings of its status have the next ones`
    }]
  }
}
