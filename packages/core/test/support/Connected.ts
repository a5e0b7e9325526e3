import { State } from "../../src/lifecycle/Lifecycle.js"
import type { Runtime } from "../../src/runtime/Runtime.js"
import type { BackendState } from "../../src/state/BackendState.js"

/** In the slot, as its first connection. */
export const connected = (backend: BackendState, current: Runtime | undefined): void =>
  backend.update((slot) => ({ ...slot, current, state: State.Connected({ replacing: false }), generation: 1 }))
