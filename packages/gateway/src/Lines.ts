/**
 * What happens to backends as plain lines, one for each event that matters to an operator. Pure.
 */
import type { Event, Status } from "@mcp-lifeline/core"
import { clean, time } from "./Output.js"
import * as Table from "./Table.js"

const tools = (count: number): string => `${count} ${count === 1 ? "tool" : "tools"}`

const say = (event: Event.Event, status: Status | undefined): ReadonlyArray<string> | undefined => {
  switch (event._tag) {
    case "StateChanged": {
      if (event.to !== "Connected") {
        const worthALine = event.to !== "Connecting" && event.to !== "Reconnecting" && event.from !== event.to
        return worthALine ? [event.to] : undefined
      }
      if (event.from === "Connected") return undefined
      const current = status?.generation === event.generation ? status : undefined
      return [
        event.to,
        `generation ${event.generation}`,
        ...(current ? [Table.peer(current)] : []),
        ...(current?.catalog && !current.catalog.stale ? [tools(current.catalog.tools)] : [])
      ]
    }
    case "RuntimeLost":
      return ["Lost", `generation ${event.generation}`, event.loss.message]
    case "AttemptFailed":
      return [
        "Attempt failed",
        event.error.message,
        ...(event.nextAttemptAt === undefined ? [] : [`next in ${Table.span(event.nextAttemptAt - event.at)}`])
      ]
    case "RuntimeClosed":
      return event.outcome === "closed" ? undefined : ["Close", event.outcome, event.message ?? ""]
    case "DiscoveryFailed":
      return ["Lists could not be read", event.message]
    case "KeepaliveChanged":
      return event.state === "disabled" ? ["Keepalive disabled", event.reason ?? ""] : undefined
    case "AttemptStarted":
    case "Installed":
    case "CatalogChanged":
      return undefined
  }
}

/** The line of an event, or `undefined` where it needs none; `status` is that of its backend, as late as it is known. */
export const render = (event: Event.Event, status: Status | undefined): string | undefined => {
  const parts = say(event, status)
  return parts && [`${time(event.at)} ${event.backend}`, ...parts].map(clean).filter((part) => part !== "").join("  ")
}
