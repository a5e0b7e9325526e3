/** One plain line for each event that matters to an operator. */
import { type Event, Log, type Status } from "@mcp-lifeline/core"
import { Lifecycle } from "@mcp-lifeline/core/internal"
import { Said } from "@mcp-lifeline/core/text"
import { HashMap, LogLevel, Option } from "effect"
import { clean, time, until } from "../text/Text.js"
import * as Table from "./Table.js"

/** What a line needs in addition to the event. */
export type KnownStatus = Pick<Status, "state" | "generation" | "peer" | "target" | "transport" | "catalog">

export const levelOf = (event: Event.Event): "info" | "warning" | "error" => {
  const { level } = Log.entryOf(event)
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return "error"
  return LogLevel.greaterThanEqual(level, LogLevel.Warning) ? "warning" : "info"
}

const { detail, open, said } = Said

/** Some may be hidden from who reads it. */
const tools = (count: number): Said.Said => detail(`${count} ${count === 1 ? "tool" : "tools"}`)

const verdicts = { busy: "Busy", held: "Silent", unknown: undefined, wedged: undefined }

/** What a part says to everybody is marked. */
const describe = (event: Event.Event, status: KnownStatus | undefined): ReadonlyArray<Said.Said> | undefined => {
  switch (event._tag) {
    case "StateChanged": {
      if (event.to !== "Connected") {
        const isWorthALine = event.to !== "Connecting" && event.to !== "Reconnecting" && event.from !== event.to
        // What core says of a closed one is for programs.
        return isWorthALine ? [open(event.to === "Closed" ? event.to : Lifecycle.inWords(event.to))] : undefined
      }
      if (event.from === "Connected") return undefined
      const current = status?.generation === event.generation ? status : undefined
      return [
        open(event.to),
        said`generation ${event.generation}`,
        ...(current ? [detail(Table.peer(current))] : []),
        ...(current?.catalog ? [tools(current.catalog.tools)] : [])
      ]
    }
    case "RuntimeLost":
      return [
        event.loss.kind === "memory" ? said`Restarting` : said`Lost`,
        said`generation ${event.generation}`,
        detail(event.loss.message, event.loss.kind)
      ]
    case "AttemptFailed":
      return [
        // The attempt was to replace a connection that still works.
        status?.state === "Connected" ? said`New connection failed, the old one stays` : said`Attempt failed`,
        detail(event.error.message, event.error.reason),
        ...(event.nextAttemptAt === undefined ? [] : [said`next in ${open(until(event.nextAttemptAt - event.at))}`])
      ]
    case "RuntimeClosed":
      return event.outcome === "closed" ? undefined : [said`Close`, open(event.outcome), detail(event.message ?? "")]
    case "MemoryHigh":
      return [said`Memory is high`, detail(event.message)]
    case "DiscoveryFailed":
      return [said`Could not read the lists`, detail(event.message)]
    case "Judged": {
      const what = event.enforced || event.kind !== "wedged" ? verdicts[event.kind] : "Would be given up"
      return what === undefined ? undefined : [open(what), detail(event.reason)]
    }
    case "KeepaliveChanged":
      return event.state === "disabled" ? [said`Keepalive disabled`, detail(event.reason ?? "")] : undefined
    case "AttemptStarted":
    case "Installed":
      return undefined
    case "CatalogChanged":
      return status?.catalog && !event.stale ? [tools(status.catalog.tools)] : undefined
  }
}

/** By backend, as the lines reported them last. */
export type LoggedToolCounts = HashMap.HashMap<string, number>

export const show = (at: number, backend: string, text: string): string => `${time(at)} ${clean(backend)}  ${text}`

/**
 * `undefined` if the event needs no line. `status`: the latest known one. The line of a new connection has the number of tools; a change of
 * the catalogue gets a line only if that number differs.
 */
export const step = (
  logged: LoggedToolCounts,
  event: Event.Event,
  status: KnownStatus | undefined
): readonly [LoggedToolCounts, Pick<Said.Said, "message" | "publicMessage"> | undefined] => {
  const count = status?.catalog?.tools
  if (event._tag === "CatalogChanged" && Option.getOrUndefined(HashMap.get(logged, event.backend)) === count) {
    return [logged, undefined]
  }
  const parts = describe(event, status)
  if (!parts) return [logged, undefined]
  const hasCount = event._tag === "CatalogChanged" || (event._tag === "StateChanged" && event.to === "Connected")
  const line = (texts: ReadonlyArray<string>): string => texts.map(clean).filter((text) => text !== "").join("  ")
  const text = {
    message: line(parts.map(({ message }) => message)),
    publicMessage: line(parts.map(({ publicMessage }) => publicMessage))
  }
  return [hasCount && count !== undefined ? HashMap.set(logged, event.backend, count) : logged, text]
}

/** Of one runtime among several of its server, about which less is known. */
export const ofRuntime = (
  event: Event.Event,
  known: Pick<KnownStatus, "state" | "peer" | "transport">
): string | undefined => {
  if (event._tag === "StateChanged" && event.to === "Closed") return "Closed"
  const generation = event._tag === "StateChanged" ? event.generation : 0
  const [, text] = step(HashMap.empty(), event, { ...known, generation, target: "", catalog: undefined })
  return text?.message
}
