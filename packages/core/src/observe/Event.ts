import { Data } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import type { ConnectError } from "../Errors.js"
import type { Events } from "./Events.js"

export type Event = Data.TaggedEnum<Events<ConnectError>>

export const Event = Data.taggedEnum<Event>()

/** Watches a backend from within: its fleet. Synchronous, in order; what it throws is logged. */
export interface BackendObserver {
  readonly changed: () => void
  readonly catalogChanged: (snapshot: Snapshot | undefined) => void
  readonly event: (event: Event) => void
}
