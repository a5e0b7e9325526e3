import { longestUri } from "../catalog/Kind.js"
import { BackendUnavailable, type CallError, RemoteError } from "../Errors.js"
import { cut } from "../observe/PlainText.js"
import type { FleetCatalog } from "./FleetCatalog.js"
import * as Names from "./names.js"

export interface Existing {
  readonly backends: ReadonlyArray<string>
  readonly prefixOf: (backend: string) => string
  readonly catalogs: ReadonlyArray<FleetCatalog>
}

export const codes = { tools: -32602, prompts: -32602, resources: -32002 } as const
export const methods = { tools: "tools/call", prompts: "prompts/get", resources: "resources/read" } as const

const nobody = "fleet"

const noBackend = (id: string, backends: ReadonlyArray<string>): string =>
  `there is no server ${JSON.stringify(cut(id, 200))}; there are: ${backends.join(", ") || "none"}`

export const backend = (id: string, backends: ReadonlyArray<string>): BackendUnavailable =>
  new BackendUnavailable({ backend: id, state: "Unknown", message: noBackend(id, backends) })

const mostMeant = 3

const meant = (kind: Names.Routed, name: string, catalogs: ReadonlyArray<FleetCatalog>): ReadonlyArray<string> => {
  const found: Array<string> = []
  if (kind === "resources") return found
  for (const catalog of catalogs) {
    for (const [key, { original }] of catalog[kind]) {
      if (original === name && found.push(JSON.stringify(key)) === mostMeant) return found
    }
  }
  return found
}

export const backendSaid = (kind: Names.Routed, name: string, { backends, prefixOf }: Existing) =>
  kind === "resources" || backends.every((id) => prefixOf(id) === Names.prefixOf(id))
    ? Names.backendSaid(kind, name)
    : undefined

/** `BackendUnavailable` (`Unknown`) if the name says a missing backend, else `RemoteError`. */
export const entry = (
  kind: Names.Routed,
  name: string,
  existing: Existing
): BackendUnavailable | RemoteError => {
  const { backends, catalogs, prefixOf } = existing
  const suggestions = meant(kind, name, catalogs)
  const suggestion = suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`
  const message = `no server offers the ${kind.slice(0, -1)} ${JSON.stringify(cut(name, 200))}`
  const said = backendSaid(kind, name, existing)
  if (said !== undefined && !backends.some((id) => Names.maySay(kind, id, name, prefixOf(id)))) {
    return new BackendUnavailable({
      backend: said,
      state: "Unknown",
      message: `${message}: ${noBackend(said, backends)}${suggestion}`
    })
  }
  return new RemoteError({
    backend: nobody,
    method: methods[kind],
    code: codes[kind],
    data: { name: cut(name, longestUri) },
    message: `${message}${suggestion || `; see the list of ${kind}`}`
  })
}

/** The call failed because no backend has what it names, not because one could not be asked. */
export const isUnknown = (error: CallError): boolean =>
  error._tag === "BackendUnavailable"
    ? error.state === "Unknown"
    : error._tag === "RemoteError" && error.backend === nobody
