import type { Catalog } from "@mcp-lifeline/core"

export const snapshot = (lists: Partial<Catalog.Snapshot>): Catalog.Snapshot => ({
  tools: [],
  prompts: [],
  resources: [],
  resourceTemplates: [],
  generation: 1,
  revision: 1,
  stale: false,
  serverInfo: { name: "a server", version: "1" },
  capabilities: {},
  instructions: undefined,
  protocolVersion: "2025-11-25",
  problems: [],
  truncated: [],
  ...lists
})
