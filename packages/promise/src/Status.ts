/**
 * What can be known about a server at one moment.
 */
export type { KeepaliveStatus, StateName as State, Status } from "@mcp-lifeline/core/types"
