export { type Amount, type Excess, type HolderLimits, Holding, type Limits, Quota } from "@mcp-lifeline/protocol"
