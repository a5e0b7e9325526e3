export { Shares } from "@mcp-lifeline/core/internal"
