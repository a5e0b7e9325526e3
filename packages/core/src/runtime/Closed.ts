import type { Outcome } from "../internal/scopes.js"
import type { Runtime } from "./Runtime.js"

export interface Closed extends Outcome {
  readonly runtime: Runtime
}
