export * as Backend from "./Backend.js"
export * as Catalog from "./catalog/Catalog.js"
export type { Kind } from "./catalog/Kind.js"
export * from "./Errors.js"
export * as Fleet from "./Fleet.js"
export type { StateName } from "./lifecycle/States.js"
export * as Event from "./observe/Event.js"
export * as Live from "./observe/Live.js"
export * as Log from "./observe/Log.js"
export * as Telemetry from "./observe/Telemetry.js"
export type { ByteSize } from "./options/ByteSize.js"
export type * as Extension from "./options/Extension.js"
export * as Policy from "./options/Policy.js"
export type { TimeSpan } from "./options/TimeSpan.js"
export type { Connection, Loss, Peer, ProcessStatus, RequestOptions } from "./port/Connection.js"
export type {
  ClientOptions,
  ConnectOptions,
  Connector,
  Offers,
  ServerRequestHandlers,
  Supervision
} from "./port/Connector.js"
export type { ConnectorStatus, NeededSignIn } from "./port/ConnectorStatus.js"
export type { LiveMember, Member, MemberEvent, MemberOptions } from "./port/Member.js"
export type { Method, Methods, Params, Result } from "./port/Method.js"
export { isRead } from "./port/Method.js"
export type { ProcessSight } from "./port/ProcessSight.js"
export type { Hearing, Report, ServerNotification } from "./port/Report.js"
export type { LimitStatus, ResourceUsage, UsageLimit, UsageVerdict } from "./port/ResourceUsage.js"
export * as Sending from "./port/Sending.js"
export type { Shown } from "./port/Shown.js"
export { SuspendedSession, type Suspension } from "./port/SuspendedSession.js"
export type { TemperamentMemory } from "./port/TemperamentMemory.js"
export type { KeepaliveStatus, Status } from "./state/Status.js"
