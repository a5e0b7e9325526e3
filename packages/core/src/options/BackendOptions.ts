/**
 * Everything that is said about one backend when it is made.
 */
import type { Effect } from "effect"
import type { Session } from "../calls/Calls.js"
import type { ClientOptions, Connector } from "../port/Connector.js"
import type { PolicyOptions } from "./PolicyOptions.js"

/** Everything about one backend. */
export interface BackendOptions extends PolicyOptions, ClientOptions {
  readonly connector: Connector
  /** Runs on every new generation before calls are let in; if it fails, so does the attempt (C11). */
  readonly onConnected?: ((session: Session) => Effect.Effect<void, unknown>) | undefined
}
