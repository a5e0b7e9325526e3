import { type Bytes } from "@mcp-lifeline/core/text"
import type { Amount, Quota } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { countedOf } from "./Body.js"
import { type Refusal, tooMany } from "./Refusal.js"

/** Of the limits of all. */
export const amountOf = (count: number, bytes: Bytes): Amount => ({ count, bytes: countedOf(bytes) })

/** Why there is no room, if so. */
export const take = (open: Quota, client: unknown, amount: Amount, id: RequestId | undefined): Refusal | undefined => {
  const excess = open.take(client, amount)
  if (excess === undefined) return undefined
  const { held, of, total } = excess
  return tooMany(
    id,
    of === "count"
      ? `This client has ${held.count} requests that are not answered yet, the maximum while all clients have ${total.count}; `
        + "send this one again when some are answered"
      : `The requests of this client that are not answered yet have ${held.bytes} bytes, and those of all clients ${total.bytes}: `
        + "there is no room for this one; send it again when some are answered"
  )
}
