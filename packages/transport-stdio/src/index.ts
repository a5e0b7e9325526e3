export { type Frame, Framing } from "./Framing.js"
export * as Secrets from "./Secrets.js"
export * as StdioConnector from "./StdioConnector.js"
