/** Whoever watches a backend from within: its fleet. */
import type { Snapshot } from "../catalog/Catalog.js"
import type { Event } from "./Event.js"

/** Synchronous, in order; what it throws is logged. */
export interface BackendObserver {
  readonly changed: () => void
  readonly catalogChanged: (snapshot: Snapshot | undefined) => void
  readonly event: (event: Event) => void
}
