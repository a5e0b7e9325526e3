/** Which names a fleet has for whom, and where they lead. */
import type { Fleet } from "./Fleet.js"
import type { Routed } from "./fleet/names.js"
import type { Route, Router } from "./fleet/Router.js"
import type { Visible } from "./fleet/Visible.js"

export { listsSame } from "./fleet/FleetCatalog.js"
export { maySay, otherName } from "./fleet/names.js"
export { namesOf, perVisible } from "./fleet/Visible.js"

type Views = Fleet & Pick<Router, "find" | "prefixOf"> & { readonly viewOf: (visible: Visible) => Router }

/** `Fleet.route` without an Effect; `undefined` if nothing is known to offer this. */
export const find = (fleet: Fleet, kind: Routed, name: string): Route | undefined => (fleet as Views).find(kind, name)

export const viewOf = (fleet: Fleet, visible: Visible): Router => (fleet as Views).viewOf(visible)

export const prefixOf = (fleet: Fleet, backend: string): string => (fleet as Views).prefixOf(backend)
