export { Shares } from "@mcp-lifeline/protocol"
