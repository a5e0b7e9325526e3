import { Catalogue, type FleetCatalog } from "./FleetCatalog.js"

const mostOfOne = 20

export interface NameReport {
  readonly backend: string
  readonly message: string
}

export type NameReports = Map<string, Set<string>>

/** No resources: servers often share a URI; only the status reports it. */
export const take = (reports: NameReports, catalog: FleetCatalog): ReadonlyArray<NameReport> =>
  catalog instanceof Catalogue
    ? catalog.renames.flatMap(({ backend, kind, message }) =>
      kind === "tools" || kind === "prompts" ? once(reports, backend, message) : []
    )
    : []

export const once = (reports: NameReports, backend: string, message: string): ReadonlyArray<NameReport> => {
  const said = reports.get(backend) ?? new Set()
  reports.set(backend, said)
  if (said.has(message) || said.size > mostOfOne) return []
  said.add(message)
  const more = `${backend} offers more names that are changed here; the warnings of its status have the next ones`
  return [{ backend, message: said.size <= mostOfOne ? message : more }]
}
