/**
 * Whoever watches one backend from within: its fleet.
 */
import type { Snapshot } from "../catalog/Catalog.js"
import type { Event } from "./Event.js"

/** Watches one backend. Called synchronously, in order; what it throws is logged and ignored. */
export interface BackendObserver {
  readonly changed: () => void
  readonly catalogChanged: (snapshot: Snapshot | undefined) => void
  readonly event: (event: Event) => void
}
