/**
 * The servers: which of them show, and what changed of them.
 */
import { byId, element, setAttribute, setText, show } from "./dom.mjs"
import { Row } from "./Row.mjs"
import * as Shapes from "./Shapes.mjs"
import * as Timeline from "./Timeline.mjs"
import { conditionOf, number, plural } from "./words.mjs"

/** @typedef {import("./types.d.ts").ServerStatus} ServerStatus */
/** @typedef {import("./types.d.ts").Status} Status */
/** @typedef {import("./words.mjs").Condition} Condition */

/** What servers can be shown by. @type {ReadonlyArray<{ readonly label: string, readonly mark: Condition | undefined, readonly has: (server: ServerStatus) => boolean }>} */
const kinds = [
  { label: "All", mark: undefined, has: () => true },
  { label: "Connected", mark: "up", has: ({ state }) => state === "Connected" },
  {
    label: "Coming back",
    mark: "waiting",
    has: (server) => !needsHelp(server) && /^(busy|waiting)$/.test(conditionOf(server.state))
  },
  { label: "Need help", mark: "down", has: (server) => needsHelp(server) },
  { label: "Off or idle", mark: "off", has: (server) => !needsHelp(server) && conditionOf(server.state) === "off" }
]

/** Whether it stays as it is until somebody does something. @param {ServerStatus} server */
export const needsHelp = ({ login, state }) => login !== undefined || conditionOf(state) === "down"

/** What the height of a bar says. @type {ReadonlyArray<readonly [Condition, string]>} */
const legend = [["up", "connected"], ["busy", "connecting"], ["waiting", "waiting to connect"], ["down", "failed"], [
  "off",
  "off or idle"
]]

const list = byId("servers")
const none = byId("none")
const filter = /** @type {HTMLInputElement} */ (byId("filter"))

/** @type {Map<string, Row>} */
const rows = new Map()
let chosen = kinds[0]
/** @type {Status | undefined} */
let last

const groups = kinds.map((kind) => {
  const count = element("span", { class: "count" })
  const mark = kind.mark === undefined ? [] : [Shapes.mark()]
  for (const one of mark) Shapes.setCondition(one, kind.mark ?? "off")
  const button = element("button", { type: "button", "aria-pressed": "false" }, ...mark, `${kind.label} `, count)
  button.addEventListener("click", () => {
    chosen = chosen === kind ? kinds[0] : kind
    refresh()
  })
  byId("groups").append(button)
  return { kind, button, count }
})

/** Shows the rows that were asked for. */
const refresh = () => {
  const servers = last?.servers ?? []
  const wanted = filter.value.trim().toLowerCase()
  let shown = 0
  for (const [name, row] of rows) {
    const visible = name.toLowerCase().includes(wanted) && chosen?.has(row.server) === true
    show(row.node, visible)
    if (visible) shown++
  }
  for (const { button, count, kind } of groups) {
    const found = servers.filter((server) => kind.has(server)).length
    setText(count, number(found))
    setAttribute(button, "aria-pressed", String(kind === chosen))
    show(button, kind === kinds[0] || kind === chosen || found > 0)
  }
  show(none, shown === 0)
  setText(
    none,
    servers.length === 0
      ? "This gateway has no servers: its file names none."
      : "No server is shown: change the filter."
  )
}

/** Takes a status: makes the rows that are new, removes those that are gone, and lets the others write what differs. @param {Status} status @param {number} now */
export const update = (status, now) => {
  last = status
  const names = new Set(status.servers.map(({ name }) => name))
  for (const [name, row] of rows) {
    if (names.has(name)) continue
    row.node.remove()
    rows.delete(name)
  }
  status.servers.forEach((server, index) => {
    let row = rows.get(server.name)
    if (row === undefined) {
      row = new Row(server)
      rows.set(server.name, row)
    }
    row.update(server)
    if (list.children[index] !== row.node) list.insertBefore(row.node, list.children[index] ?? null)
  })
  refresh()
  tick(now)
}

/** Writes what time has changed. @param {number} now */
export const tick = (now) => {
  if (last === undefined) return
  const since = Math.min(now, ...last.servers.map(({ history, since }) => history[0]?.at ?? since))
  const window = Timeline.windowFor(since, now)
  setText(byId("window"), window.name)
  setText(byId("window-of-bars"), `Bars, ${window.name.toLowerCase()}:`)
  for (const row of rows.values()) if (!row.node.hidden) row.tick(now, window)
}

/** A server's own part of an event. @param {import("./types.d.ts").GatewayEvent} event */
export const event = (event) => {
  if (event.server !== null) rows.get(event.server)?.event(event)
}

/** One sentence on all of them. @param {ReadonlyArray<ServerStatus>} servers */
export const headline = (servers) => {
  const help = servers.filter(needsHelp).length
  const away = servers.filter(({ state }) => /^(busy|waiting)$/.test(conditionOf(state))).length
  if (help > 0) return `${plural(help, "server")} ${help === 1 ? "needs" : "need"} help`
  return away > 0 ? `${plural(away, "server")} coming back` : plural(servers.length, "server")
}

for (const [condition, meaning] of legend) {
  byId("legend").append(element("span", {}, Shapes.bar(condition), meaning))
}
filter.addEventListener("input", refresh)
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || filter.value === "") return
  filter.value = ""
  refresh()
})
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  filter.focus()
})
