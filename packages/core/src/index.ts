export * as Backend from "./Backend.js"
export * as Catalog from "./catalog/Catalog.js"
export * as Check from "./Check.js"
export type { Connection, Loss, Peer, RequestOptions } from "./Connection.js"
export type {
  ClientOptions,
  ConnectOptions,
  Connector,
  ServerNotification,
  ServerRequestHandlers
} from "./Connector.js"
export * from "./Errors.js"
export * as Event from "./Event.js"
export * as Fleet from "./Fleet.js"
export * as Lifecycle from "./lifecycle/Lifecycle.js"
export * as Log from "./Log.js"
export * as McpConfig from "./McpConfig.js"
export type { Method, Methods, Params, Result } from "./Method.js"
export { isRead } from "./Method.js"
export type { Permits } from "./Permits.js"
export * as Policy from "./Policy.js"
export * as Problem from "./Problem.js"
export type { KeepaliveStatus, Status } from "./Status.js"
export * as Telemetry from "./Telemetry.js"
export * as TimeSpan from "./TimeSpan.js"
