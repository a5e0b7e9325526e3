/**
 * What happens to backends as plain lines, one for each event that matters to an operator. Pure.
 */
import { type Event, Log, type Status } from "@mcp-lifeline/core"
import { Lifecycle } from "@mcp-lifeline/core/internal"
import { LogLevel } from "effect"
import { clean, time } from "../Text.js"
import * as Table from "./Table.js"

/** What lines say of a server beside the event. */
export type Known = Pick<Status, "state" | "generation" | "peer" | "target" | "transport" | "catalog">

/** How much an event matters. */
export const levelOf = (event: Event.Event): "info" | "warning" | "error" => {
  const { level } = Log.entryOf(event)
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return "error"
  return LogLevel.greaterThanEqual(level, LogLevel.Warning) ? "warning" : "info"
}

const tools = (count: number): string => `${count} ${count === 1 ? "tool" : "tools"}`

const say = (event: Event.Event, status: Known | undefined): ReadonlyArray<string> | undefined => {
  switch (event._tag) {
    case "StateChanged": {
      if (event.to !== "Connected") {
        const worthALine = event.to !== "Connecting" && event.to !== "Reconnecting" && event.from !== event.to
        return worthALine ? [Lifecycle.inWords(event.to)] : undefined
      }
      if (event.from === "Connected") return undefined
      const current = status?.generation === event.generation ? status : undefined
      return [
        event.to,
        `generation ${event.generation}`,
        ...(current ? [Table.peer(current)] : []),
        ...(current?.catalog ? [tools(current.catalog.tools)] : [])
      ]
    }
    case "RuntimeLost":
      return ["Lost", `generation ${event.generation}`, event.loss.message]
    case "AttemptFailed":
      return [
        // Made while the connection in use was to be replaced by it.
        status?.state === "Connected" ? "New connection failed, the old one stays" : "Attempt failed",
        event.error.message,
        ...(event.nextAttemptAt === undefined ? [] : [`next in ${Table.until(event.nextAttemptAt - event.at)}`])
      ]
    case "RuntimeClosed":
      return event.outcome === "closed" ? undefined : ["Close", event.outcome, event.message ?? ""]
    case "DiscoveryFailed":
      return ["Could not read the lists", event.message]
    case "KeepaliveChanged":
      return event.state === "disabled" ? ["Keepalive disabled", event.reason ?? ""] : undefined
    case "AttemptStarted":
    case "Installed":
      return undefined
    case "CatalogChanged":
      return status?.catalog && !event.stale ? [tools(status.catalog.tools)] : undefined
  }
}

/** How many tools of each backend the lines have told of last. */
export type Told = ReadonlyMap<string, number>

/** A whole line: the local time, the backend and what happened. */
export const show = (at: number, backend: string, text: string): string => `${time(at)} ${clean(backend)}  ${text}`

/**
 * What a line says of an event, or `undefined` where it needs none; `status` is that of its backend, as late as it is known. What
 * the catalogue holds is told with the connection, and by itself only when it is news.
 */
export const step = (
  told: Told,
  event: Event.Event,
  status: Known | undefined
): readonly [Told, string | undefined] => {
  const count = status?.catalog?.tools
  if (event._tag === "CatalogChanged" && told.get(event.backend) === count) return [told, undefined]
  const parts = say(event, status)
  if (!parts) return [told, undefined]
  const shown = parts[0] === "Connected" || event._tag === "CatalogChanged"
  const text = parts.map(clean).filter((part) => part !== "").join("  ")
  return [shown && count !== undefined ? new Map([...told, [event.backend, count]]) : told, text]
}

/** What a line says of an event of one runtime among several of its server, of which less is known. */
export const ofRuntime = (
  event: Event.Event,
  known: Pick<Known, "state" | "peer" | "transport">
): string | undefined => {
  if (event._tag === "StateChanged" && event.to === "Closed") return "Closed"
  const generation = event._tag === "StateChanged" ? event.generation : 0
  const [, text] = step(new Map(), event, { ...known, generation, target: "", catalog: undefined })
  return text
}
