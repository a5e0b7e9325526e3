export * as Backend from "./Backend.js"
export type { KeepaliveStatus, Status } from "./backend/Status.js"
export * as Catalog from "./catalog/Catalog.js"
export type { Kind } from "./catalog/Kind.js"
export * as Nesting from "./catalog/Nesting.js"
export * from "./Errors.js"
export * as Fleet from "./Fleet.js"
export * as Lifecycle from "./lifecycle/Lifecycle.js"
export * as Event from "./observe/Event.js"
export * as Live from "./observe/Live.js"
export * as Log from "./observe/Log.js"
export * as PlainText from "./observe/PlainText.js"
export * as Telemetry from "./observe/Telemetry.js"
export * as Check from "./options/Check.js"
export * as Policy from "./options/Policy.js"
export * as Problem from "./options/Problem.js"
export * as TimeSpan from "./options/TimeSpan.js"
export type { Connection, Loss, Peer, RequestOptions } from "./port/Connection.js"
export type {
  ClientOptions,
  ConnectOptions,
  Connector,
  Hearing,
  ServerNotification,
  ServerRequestHandlers
} from "./port/Connector.js"
export type { Method, Methods, Params, Result } from "./port/Method.js"
export { isRead } from "./port/Method.js"
export { SuspendedSession, type Suspension } from "./port/SuspendedSession.js"
