export type { Connection, Loss, Peer, RequestOptions } from "./Connection.js"
export type {
  ClientOptions,
  ConnectOptions,
  Connector,
  ServerNotification,
  ServerRequestHandlers
} from "./Connector.js"
export * from "./Errors.js"
export type { Method, Methods, Params, Result } from "./Method.js"
export { isRead } from "./Method.js"
