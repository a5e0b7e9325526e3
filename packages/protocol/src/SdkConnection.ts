/** A session with the official SDK: its Client answers requests of the server, and its schemas check results. */
import * as Binding from "./Binding.js"
import { parts } from "./sdkParts.js"

export { clientInfo, type NotResumedReason, type Options, type Relay } from "./Session.js"

export const { connect, resume } = Binding.make(parts)
