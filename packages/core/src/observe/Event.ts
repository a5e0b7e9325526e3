/**
 * The events of backends, as a closed union.
 */
import { Data } from "effect"
import type { ConnectError } from "../Errors.js"
import type { Events } from "./Events.js"

/** What happened to a backend. */
export type Event = Data.TaggedEnum<Events<ConnectError>>

/** Constructors of events. */
export const Event = Data.taggedEnum<Event>()
