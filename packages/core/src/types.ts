/** What a backend takes and shows, in types without Effect: for packages that hide it. */
export type { Lists, Snapshot } from "./catalog/Catalog.js"
export type { ByteSizeText, ByteUnit } from "./internal/ByteSize.js"
export type { TimeText, Unit } from "./internal/Time.js"
export type { StateName } from "./lifecycle/States.js"
export type { Events } from "./observe/Events.js"
export type {
  CallBounds,
  CallsOptions,
  DiscoveryOptions,
  HealthOptions,
  KeepaliveOptions,
  LifecycleOptions,
  PolicyOptions,
  ReconnectOptions,
  TimeoutOptions,
  ToolOptions
} from "./options/PolicyOptions.js"
export type { NeededSignIn, Peer } from "./port/ConnectorStatus.js"
export type { Loss } from "./port/Loss.js"
export type { ProcessSight } from "./port/ProcessSight.js"
export type { ResourceUsage } from "./port/ResourceUsage.js"
export type { ConnectReason } from "./Reasons.js"
export type { KeepaliveStatus, Status } from "./state/Status.js"
