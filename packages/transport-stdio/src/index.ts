export { type Frame, Framing } from "./Framing.js"
export * as StdioConnector from "./StdioConnector.js"
