export type {
  ByteSizeText,
  ByteUnit,
  KeepaliveStatus,
  Loss,
  NeededSignIn,
  ResourceUsage,
  StateName as State
} from "@mcp-lifeline/core/types"
export type * from "./Client.js"
export { connect } from "./connect.js"
export { connectAll } from "./connectAll.js"
export type * from "./Duration.js"
export {
  BackendUnavailable,
  ConfigError,
  ConnectError,
  ConnectionLost,
  ProtocolError,
  RemoteError,
  RequestTimeout,
  ResultUnknown,
  SessionExpired
} from "./Errors.js"
export type { ConnectReason, LifelineError, LifelineErrorShape, OptionProblem, UnauthorizedError } from "./Errors.js"
export type * from "./Event.js"
export type * from "./Fleet.js"
export type * from "./Options.js"
export type * from "./Session.js"
export type * from "./SignInOptions.js"
export type * from "./Status.js"
export { supervisedTransport } from "./supervisedTransport.js"
export type * from "./TelemetryOptions.js"
export type * from "./Transport.js"
