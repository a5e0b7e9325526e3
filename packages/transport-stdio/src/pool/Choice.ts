import type { LiveMember, Member } from "@mcp-lifeline/core"

/** The process that takes a request. */
export interface Choice {
  readonly member: Member
  readonly live: LiveMember
}
