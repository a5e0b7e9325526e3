export * as StdioConnector from "./StdioConnector.js"
