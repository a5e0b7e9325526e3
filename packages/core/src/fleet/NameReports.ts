/**
 * Which names of servers callers see otherwise than their users expect, to be said once each.
 */
import { Catalogue, type FleetCatalog } from "./FleetCatalog.js"

/** So many names of one backend are said one by one. */
const mostOfOne = 20

/** One name of a backend that callers see otherwise. */
export interface NameReport {
  readonly backend: string
  readonly message: string
}

/** Remembers what was said, also of several fleets. */
export class NameReports {
  readonly #said = new Map<string, Set<string>>()

  /**
   * What a catalogue has that was not said before. Not of resources: that two servers have the same URI is usual, and only the status has it.
   */
  take(catalog: FleetCatalog): ReadonlyArray<NameReport> {
    if (!(catalog instanceof Catalogue)) return []
    return catalog.renames.flatMap(({ backend, kind, message }) =>
      kind === "tools" || kind === "prompts" ? this.once(backend, message) : []
    )
  }

  /** A message about a name of a backend, unless it was said before. */
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
