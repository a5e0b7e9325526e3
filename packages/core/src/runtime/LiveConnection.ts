/**
 * A runtime when it is connected, and when it was closed.
 */
import type { Outcome } from "../internal/scopes.js"
import type { Connection } from "../port/Connection.js"
import type { Runtime } from "./Runtime.js"

export interface LiveConnection {
  readonly runtime: Runtime
  readonly connection: Connection
}

export interface Closed extends Outcome {
  readonly runtime: Runtime
}
