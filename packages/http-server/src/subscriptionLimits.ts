import { Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/text"
import { type Excess, type HolderLimits, Holding, type Limits } from "@mcp-lifeline/protocol"

const holder: HolderLimits = { item: kibibytes(16), count: 10_000, bytes: mebibytes(4) }

/** A holder is a session, or what a client without sessions listens to. */
export const subscriptionLimits: Limits = { holder, all: { count: 100_000, bytes: mebibytes(32) } }

/** For a client that shares with none. */
export const roomOfOne = (): Holding => new Holding(holder)

export const bytesOf = (uri: string): Bytes => Bytes(Buffer.byteLength(uri))

export const noRoom = (excess: Excess): string => {
  switch (excess.limit) {
    case "item":
      return `The URI has ${excess.bytes} bytes; one that is subscribed to may have ${excess.most}: subscribe to a shorter one`
    case "holder":
      return excess.of === "count"
        ? `${excess.held.count} resources are subscribed to, the maximum of one client: unsubscribe from others first`
        : `The URIs that are subscribed to have ${excess.held.bytes} bytes, and may have ${excess.most} of one client: unsubscribe from others first`
    case "client": {
      const { held, most, total } = excess
      return `This client has ${held.count} subscriptions with URIs of ${held.bytes} bytes, the maximum while all clients have ${total.count} of ${most.count} `
        + `and ${total.bytes} of ${most.bytes} bytes: unsubscribe from others first, or try again later`
    }
  }
}
