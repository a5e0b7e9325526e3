export type { AdapterTransport, TransportSession } from "./AdapterTransport.js"
export * as Arrivals from "./Arrivals.js"
export * as Binding from "./Binding.js"
export * as Era from "./Era.js"
export * as EraMemory from "./EraMemory.js"
export * as Initialize from "./Initialize.js"
export * as JsonRpc from "./JsonRpc.js"
export { JsonScanner } from "./JsonScanner.js"
export * as JsonShape from "./JsonShape.js"
export * as Level from "./Level.js"
export * as LoginFailure from "./LoginFailure.js"
export * as LostSession from "./LostSession.js"
export * as MemoryConnector from "./MemoryConnector.js"
export * as Messages from "./Messages.js"
export * as Meta from "./Meta.js"
export * as Named from "./Named.js"
export * as OneClient from "./OneClient.js"
export * as Oversized from "./Oversized.js"
export { Pieces } from "./Pieces.js"
export { type Amount, type Excess, type HolderLimits, Holding, type Limits, Quota } from "./Quota.js"
export {
  type Answer,
  ClientRequest,
  ClientRequests,
  type Fate,
  type Responder,
  responseOf,
  type Work,
  workOf
} from "./relay/ClientRequest.js"
export type { Introduction, Receiver } from "./relay/Incoming.js"
export { Incoming } from "./relay/Incoming.js"
export * as JsonRpcError from "./relay/JsonRpcError.js"
export * as ListChanges from "./relay/ListChanges.js"
export * as ListState from "./relay/ListState.js"
export * as ListWatch from "./relay/ListWatch.js"
export { defaultLevel, LogLevels } from "./relay/LogLevels.js"
export * as ObjectResults from "./relay/ObjectResults.js"
export { asItComes, deliver, Relay } from "./relay/Relay.js"
export type { Forwarded, Target } from "./relay/Relay.js"
export { type Subscriber, Subscriptions } from "./relay/Subscriptions.js"
export * as TaskMarks from "./relay/TaskMarks.js"
export * as SdkConnection from "./SdkConnection.js"
export * as SecretValues from "./SecretValues.js"
export { ServerRequest } from "./ServerRequest.js"
export { Shares } from "./Shares.js"
export * as SpeaksSessions from "./SpeaksSessions.js"
export * as TransportConnector from "./TransportConnector.js"
export * as Turns from "./Turns.js"
