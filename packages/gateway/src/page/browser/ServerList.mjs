/** The servers, and which of them show. */
import { h } from "preact"
import { useState } from "preact/hooks"
import { html } from "./html.mjs"
import { Row } from "./Row.mjs"
import { bar, mark } from "./shapes.mjs"
import * as Timeline from "./Timeline.mjs"
import { conditionOf, number, plural } from "./words.mjs"

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./words.mjs").Condition} Condition */

/** Whether it stays as it is until somebody does something. @param {Server} server */
const needsHelp = ({ login, state }) => login !== undefined || conditionOf(state) === "down"

/** @param {Server} server */
const comesBack = ({ state }) => /^(busy|waiting)$/.test(conditionOf(state))

/** What servers can be shown by. @type {ReadonlyArray<{ readonly label: string, readonly condition?: Condition, readonly has: (server: Server) => boolean }>} */
const kinds = [
  { label: "All", has: () => true },
  { label: "Connected", condition: "up", has: ({ state }) => state === "Connected" },
  { label: "Coming back", condition: "waiting", has: (server) => !needsHelp(server) && comesBack(server) },
  { label: "Need help", condition: "down", has: needsHelp },
  { label: "Off or idle", condition: "off", has: (server) => !needsHelp(server) && conditionOf(server.state) === "off" }
]

/** What the height of a bar says. @type {ReadonlyArray<readonly [Condition, string]>} */
const legend = [["up", "connected"], ["busy", "connecting"], ["waiting", "waiting to connect"], ["down", "failed"], [
  "off",
  "off or idle"
]]

/** One sentence on all of them. @param {ReadonlyArray<Server>} servers */
export const headline = (servers) => {
  const help = servers.filter(needsHelp).length
  const away = servers.filter(comesBack).length
  if (help > 0) return `${plural(help, "server")} ${help === 1 ? "needs" : "need"} help`
  return away > 0 ? `${plural(away, "server")} coming back` : plural(servers.length, "server")
}

/** @param {Pick<import("./Page.mjs").State, "status" | "now" | "events">} props */
export const ServerList = ({ events, now, status }) => {
  const [chosen, choose] = useState(kinds[0])
  const [filter, setFilter] = useState("")
  const { gateway, servers = [] } = status ?? {}
  const wanted = filter.trim().toLowerCase()
  const shown = new Set(servers.filter((one) => one.name.toLowerCase().includes(wanted) && chosen?.has(one)))
  const first = Math.min(now, ...servers.map(({ history, since }) => history[0]?.at ?? since))
  const window = Timeline.windowFor(first, now)
  const none = servers.length === 0
    ? "This gateway has no servers: its file names none."
    : "No server is shown: change the filter."
  const onInput = (/** @type {any} */ { target }) => setFilter(target.value)
  const onKeyDown = (/** @type {KeyboardEvent} */ { key }) => key === "Escape" && setFilter("")
  const groups = kinds.map((kind) => {
    const found = servers.filter(kind.has).length
    return html`
      <button key=${kind.label} type="button" aria-pressed=${kind === chosen}
        hidden=${kind !== kinds[0] && kind !== chosen && found === 0}
        onClick=${() => choose(kind === chosen ? kinds[0] : kind)}>
        ${kind.condition && mark(kind.condition)}${`${kind.label} `}<span class="count">${number(found)}</span>
      </button>
    `
  })
  const rows = servers.map((server) =>
    h(Row, { key: server.name, caller: gateway?.caller, events, isShown: shown.has(server), now, server, window })
  )
  return html`
    <section class="list" aria-labelledby="list-title">
      <div class="toolbar">
        <h2 id="list-title">Servers</h2>
        <div id="groups" class="groups" role="group" aria-label="Show servers by state">${groups}</div>
        <label class="search" for="filter"><span>Filter</span>${" "}
          <input id="filter" type="search" placeholder="by name" autocomplete="off" spellcheck=${false} aria-keyshortcuts="/"
            value=${filter} onInput=${onInput} onKeyDown=${onKeyDown} />
        </label>
      </div>
      <div class="columns" aria-hidden="true">
        <span>Server</span><span>State</span><span id="window">${window.name}</span><span>Calls</span><span>p50</span>
        <span>Tools</span><span></span>
      </div>
      <ul id="servers" class="servers" tabindex="-1">${rows}</ul>
      <p id="legend" class="legend">
        <span id="window-of-bars">${`Bars, ${window.name.toLowerCase()}:`}</span>
        ${legend.map(([condition, meaning]) => html`<span key=${condition}>${bar(condition)}${meaning}</span>`)}
      </p>
      <p id="none" class="none" hidden=${shown.size > 0}>${none}</p>
    </section>
  `
}
