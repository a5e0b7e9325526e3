/**
 * Snapshots of what a server offers, for tests of what is made of them.
 */
import type { Catalog } from "@mcp-lifeline/core"

/** A snapshot of a server that offers these lists and nothing else. */
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
