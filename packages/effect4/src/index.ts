export * as Backend from "./Backend.js"
export {
  BackendUnavailable,
  ConnectError,
  ConnectionLost,
  InvalidOptions,
  ProtocolError,
  RemoteError,
  RequestTimeout,
  ResultUnknown,
  SessionExpired
} from "./Errors.js"
export type { CallError, CommandError, LifelineError } from "./Errors.js"
export * as Fleet from "./Fleet.js"
export type { Live } from "./Live.js"
