export * as McpConfig from "./McpConfig.js"
