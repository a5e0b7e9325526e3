/** Which names a fleet has for whom, and where they lead. */
import type { Fleet } from "./Fleet.js"
import { Catalogue, type FleetCatalog } from "./fleet/FleetCatalog.js"
import type { Routed } from "./fleet/names.js"
import type { Route, Router } from "./fleet/Router.js"
import type { Visible } from "./fleet/Visible.js"

export { listsSame } from "./fleet/FleetCatalog.js"
export { maySay, otherName } from "./fleet/names.js"
export { namesOf, perVisible } from "./fleet/Visible.js"

type Views = Fleet & Pick<Router, "find"> & { readonly viewOf: (visible: Visible) => Router }

/** `Fleet.route` without an Effect; `undefined` if nothing is known to offer this. */
export const find = (fleet: Fleet, kind: Routed, name: string): Route | undefined => (fleet as Views).find(kind, name)

export const viewOf = (fleet: Fleet, visible: Visible): Router => (fleet as Views).viewOf(visible)

const mostOfOne = 20

export interface NameReport {
  readonly backend: string
  readonly message: string
}

export type NameReports = Map<string, Set<string>>

/** No resources: servers often share a URI; only the status reports it. */
export const reportNames = (reports: NameReports, catalog: FleetCatalog): ReadonlyArray<NameReport> =>
  catalog instanceof Catalogue
    ? catalog.renames.flatMap(({ backend, kind, message }) =>
      kind === "tools" || kind === "prompts" ? reportOnce(reports, backend, message) : []
    )
    : []

export const reportOnce = (reports: NameReports, backend: string, message: string): ReadonlyArray<NameReport> => {
  const said = reports.get(backend) ?? new Set()
  reports.set(backend, said)
  if (said.has(message) || said.size > mostOfOne) return []
  said.add(message)
  const more = `${backend} offers more names that are changed here; the warnings of its status have the next ones`
  return [{ backend, message: said.size <= mostOfOne ? message : more }]
}
