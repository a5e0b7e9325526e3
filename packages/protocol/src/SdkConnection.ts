/**
 * One MCP session over one transport, as a core Connection, with the official SDK: its Client answers what the server asks, and
 * results are checked with its schemas.
 */
import * as Binding from "./Binding.js"
import { parts } from "./sdkParts.js"

export { clientInfo, type NotResumedReason, type Options, type Relay } from "./Session.js"

export const { connect, resume } = Binding.make(parts)
