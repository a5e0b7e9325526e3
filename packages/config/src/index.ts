export * as LifelineCommand from "./LifelineCommand.js"
export * as McpConfig from "./McpConfig.js"
export * as ServerName from "./ServerName.js"
