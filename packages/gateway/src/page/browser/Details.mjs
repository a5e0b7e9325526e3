/** What a server shows when it is opened: what it is, its tools, and what has happened to it. */
import { useEffect, useMemo, useState } from "preact/hooks"
import { eventLine } from "./eventLine.mjs"
import * as Gateway from "./Gateway.mjs"
import { html } from "./html.mjs"
import { bytes, clean, joined, moment, number, percent, plural, shortened, stateName } from "./words.mjs"

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./types.d.ts").Events} Events */

/**
 * How many tools or runtimes, and how many lines of its log, are shown at most. And how long a line of a difference may be, in
 * characters: more than any is, because the gateway shortens it and says how much it leaves out.
 */
const most = { items: 300, lines: 50, difference: 6000 }

/** How a tool is not as it was approved. */
const changeNames = { changed: "has changed", added: "is new", removed: "is gone", unknown: "may have changed" }

const healthNames = { CONNECTED: "healthy", UNHEALTHY: "unhealthy", DISCONNECTED: "not connected" }

/** What is known of it; what is empty is not shown. @param {Server} server @param {string} availability */
const factsOf = (server, availability) => {
  const { counts, health, healthScore = 0, hidden, keepalive, memoryLimit, owner, sessions, usage } = server
  const { cpuPercent = null } = usage ?? {}
  return {
    Target: clean(server.target ?? "", 400),
    Server: server.server && clean(`${server.server.name} ${server.server.version}`, 200),
    Health: health && `${healthNames[health]}, score ${healthScore.toFixed(2)}`,
    Keepalive: keepalive && joined(": ", [keepalive.state, clean(keepalive.reason ?? "", 200)]),
    Learned: server.learned?.join(", "),
    Availability: availability,
    Generation: server.generation?.toString(),
    Sessions: sessions === "shared" ? "One for all clients" : "One for each client",
    "Runs on": owner && `replica ${clean(owner.replica, 40)}, since ${moment(owner.since, Date.now())}`,
    Offers: sessions === "shared" && joined("", [
      `${plural(counts.tools, "tool")}, ${plural(counts.prompts, "prompt")}, ${plural(counts.resources, "resource")}`,
      hidden && `; ${number(hidden.tools + hidden.prompts + hidden.resources)} hidden`,
      server.stale && " (stale: read before the connection was lost)"
    ]),
    Memory: joined(", ", [
      usage && bytes(usage.memoryBytes),
      memoryLimit && `limit ${bytes(memoryLimit.bytes)}`,
      memoryLimit && memoryLimit.restarts > 0 && `restarted ${plural(memoryLimit.restarts, "time")} because of it`
    ]),
    Processor: cpuPercent !== null && `${percent(cpuPercent)} of one core`,
    "Last error": server.lastError && moment(server.lastError.at, Date.now()),
    Warnings: server.warnings.map((one) => shortened(one, 300, `mcp-lifeline status ${server.name}`)).join("; ")
  }
}

/** @param {NonNullable<Server["pins"]>["changes"][number]} change */
const changeItem = ({ difference, kind, tool, withheld }) =>
  html`
    <li>
      <code>${clean(tool, 120)}</code>${` ${changeNames[kind]}${withheld ? ", withheld until it is approved" : ""}`}
      ${difference.map((line) => html`<p>${clean(line, most.difference)}</p>`)}
    </li>
  `

/** @param {import("./types.d.ts").Tool} tool */
const toolItem = ({ description = "", name }) =>
  html`<li><code>${clean(name, 120)}</code> <span>${clean(description, 160)}</span></li>`

/** @param {import("./types.d.ts").Runtime} runtime */
const runtimeItem = ({ generation, healthScore, keepalive, number, since, state, usage }) => {
  const more = joined(", ", [
    `since ${moment(since, Date.now())}, generation ${generation}`,
    healthScore !== undefined && `health ${healthScore.toFixed(2)}`,
    keepalive && `keepalive ${keepalive.state}`,
    usage && bytes(usage.memoryBytes)
  ])
  return html`<li><code>#${number}</code>${` ${stateName(state)} `}<span>${more}</span></li>`
}

/** Its tools; or its runtimes, where each client has its own. @param {PromiseSettledResult<any> | undefined} read @param {"tool" | "runtime"} noun @param {string} name */
const items = (read, noun, name) => {
  /** @param {unknown} title @param {unknown} content */
  const section = (title, content, hidden = false) =>
    html`
      <section>
        <h4>${title}</h4>
        <ul class="tools" tabindex="0" aria-label="${noun}s of ${name}" hidden=${hidden}>${content}</ul>
      </section>
    `
  if (read === undefined) return section("Tools", "")
  if (read.status === "rejected") {
    return section("Tools", html`<li>${`They could not be read: ${clean(read.reason.message)}`}</li>`)
  }
  /** Those of other clients are for admins. @type {ReadonlyArray<any> | undefined} */
  const all = noun === "tool" ? read.value.tools : read.value.runtimes
  if (all === undefined) return section("", "", true)
  const left = all.length - most.items
  const shown = all.slice(0, most.items).map(noun === "tool" ? toolItem : runtimeItem)
  const title = all.length === 0 ? `No ${noun}s` : plural(all.length, noun)
  return section(title, [shown, left > 0 && html`<li>${`… and ${number(left)} more`}</li>`], all.length === 0)
}

/** What was read of its log, and what has happened since, newest first. @param {PromiseSettledResult<any> | undefined} read @param {Events} events @param {string} name */
const log = (read, events, name) => {
  /** @type {Events} */
  const before = read?.status === "fulfilled" ? read.value.events.toReversed() : []
  const known = new Set(before.map(({ at, text }) => `${at} ${text}`))
  const since = events.filter(({ at, server, text }) =>
    server === name && at >= (before[0]?.at ?? 0) && !known.has(`${at} ${text}`)
  )
  const lines = [...since, ...before].slice(0, most.lines).map((event) => eventLine(event, true))
  if (read?.status === "rejected") {
    return [lines, html`<li>${`The events could not be read: ${clean(read.reason.message)}`}</li>`]
  }
  return read !== undefined && lines.length === 0 ? html`<li>Nothing yet</li>` : lines
}

/** @param {{ availability: string, events: Events, id: string, isOpen: boolean, server: Server }} props */
export const Details = ({ availability, events, id, isOpen, server }) => {
  const { counts, generation, lastError, pins, runtimesByState, sessions, since, stale, state } = server
  const [read, setRead] = useState(/** @type {ReadonlyArray<PromiseSettledResult<any>>} */ ([]))
  const name = clean(server.name, 100)
  const noun = sessions === "shared" ? "tool" : "runtime"
  // Its tools or runtimes, and its log, may have changed with these.
  const changed = JSON.stringify([counts, generation, lastError?.at, runtimesByState, since, stale, state])
  useEffect(() => {
    if (!isOpen) return undefined
    let isCurrent = true
    const path = encodeURIComponent(server.name)
    const reading = [
      Gateway.get(noun === "tool" ? `tools?server=${path}` : `servers/${path}`),
      Gateway.get(`logs?server=${path}&limit=${most.lines}`)
    ]
    void Promise.allSettled(reading).then((results) => isCurrent && setRead(results))
    return () => void (isCurrent = false)
  }, [isOpen, changed])
  const shownItems = useMemo(() => items(read[0], noun, name), [read])
  const shownLog = useMemo(() => isOpen && log(read[1], events, server.name), [isOpen, read, events])
  const { changes = [], more = 0 } = pins ?? {}
  const facts = isOpen &&
    Object.entries(factsOf(server, availability)).map(([label, text]) =>
      html`<div key=${label}><dt hidden=${!text}>${label}</dt><dd hidden=${!text}>${text}</dd></div>`
    )
  const content = isOpen && html`
    <dl class="facts">${facts}</dl>
    <section>
      <h4 hidden=${changes.length === 0}>Changed tools</h4>
      <ul class="changes" tabindex="0" aria-label="Changed tools of ${name}" hidden=${changes.length === 0}>
        ${changes.map(changeItem)}
        ${more > 0 && html`<li>${`… and ${number(more)} more: mcp-lifeline approve ${name} --show`}</li>`}
      </ul>
    </section>
    ${shownItems}
    <section>
      <h4>Events</h4>
      <ol class="events" tabindex="0" aria-label="Events of ${name}">${shownLog}</ol>
    </section>
  `
  return html`
    <div class="details" id=${id} role="group" aria-label="Details of ${name}" hidden=${!isOpen}>${content}</div>
  `
}
