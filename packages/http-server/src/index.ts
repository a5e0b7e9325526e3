export * as Arrival from "./Arrival.js"
export * as Authentication from "./Authentication.js"
export * as Body from "./Body.js"
export * as Caller from "./Caller.js"
export {
  type Begin,
  type Client,
  type ClientSettings,
  type Conversation,
  type Resumed,
  type SettingChange
} from "./Conversation.js"
export { EraRouter } from "./eras/EraRouter.js"
export * as FileRecords from "./FileRecords.js"
export * as Guard from "./Guard.js"
export * as Listener from "./Listener.js"
export { ListenError } from "./ListenError.js"
export * as McpEndpoint from "./McpEndpoint.js"
export { PassedSubscriptions } from "./PassedSubscriptions.js"
export * as PublicUrl from "./PublicUrl.js"
export * as Refusal from "./Refusal.js"
export * as SealedId from "./SealedId.js"
export { SessionRecord } from "./SessionRecord.js"
export * as SessionRecords from "./SessionRecords.js"
export { bytesOf, noRoom, subscriptionLimits } from "./subscriptionLimits.js"
export * as TrustedProxies from "./TrustedProxies.js"
export * as Unavailable from "./Unavailable.js"
export * as Usage from "./Usage.js"
