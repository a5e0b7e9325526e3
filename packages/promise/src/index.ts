export type { Client, ClientEvents, HealthCheck } from "./Client.js"
export { connect } from "./connect.js"
export { connectAll } from "./connectAll.js"
export type { Duration, DurationUnit } from "./Duration.js"
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
export type { Event, Loss } from "./Event.js"
export type { Applied, Fleet, FleetEvents, FleetStatus } from "./Fleet.js"
export type {
  Answer,
  AnyHttpServer,
  AnyServer,
  CallOptions,
  CallsOptions,
  CommonOptions,
  ConnectOptions,
  Connector,
  ConnectorServer,
  DiscoveryOptions,
  Dispatcher,
  FleetConfig,
  FleetOptions,
  HandlerExtra,
  Headers,
  HealthOptions,
  HttpServer,
  KeepaliveOptions,
  LifecycleOptions,
  LogEntry,
  MeterProvider,
  NamedHttpServer,
  OfficialOptions,
  PolicyOptions,
  ReconnectOptions,
  Server,
  ServerRequestHandlers,
  Servers,
  SignalOptions,
  StdioOptions,
  StdioServer,
  TelemetryOptions,
  TimeoutOptions,
  TracerProvider,
  TransportOptions,
  TransportServer,
  Values,
  VsCodeConfig
} from "./Options.js"
export type { Session, SessionCallOptions } from "./Session.js"
export type { KeepaliveStatus, State, Status } from "./Status.js"
export { supervisedTransport } from "./supervisedTransport.js"
export type { SupervisedTransport, Supervision } from "./Transport.js"
