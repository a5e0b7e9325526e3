export type { AdapterTransport } from "./AdapterTransport.js"
export * as SdkConnection from "./SdkConnection.js"
