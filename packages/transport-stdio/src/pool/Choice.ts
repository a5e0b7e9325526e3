/** Which process of a pool takes a request. */
import type { LiveMember, Member } from "@mcp-lifeline/core"

export interface Choice {
  readonly member: Member
  readonly live: LiveMember
}

/** The process with the fewest requests, in turn among equals; none that has left one without an answer. */
export const choose = (members: ReadonlyArray<Member>, turn: number): Choice | undefined => {
  let best: Choice | undefined
  for (let i = 0; i < members.length; i++) {
    const member = members[(turn + i) % members.length] as Member
    const { live } = member
    if (live === undefined || member.isSilent) continue
    if (best === undefined || member.inFlight < best.member.inFlight) best = { member, live }
  }
  return best
}
