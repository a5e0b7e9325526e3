export type { AdapterTransport } from "./AdapterTransport.js"
export * as Attempt from "./Attempt.js"
export * as MemoryConnector from "./MemoryConnector.js"
export * as SdkConnection from "./SdkConnection.js"
