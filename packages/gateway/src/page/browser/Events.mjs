/**
 * What has happened, newest first.
 */
import { byId, clean, element, shortened, show } from "./dom.mjs"
import { date, time } from "./words.mjs"

/** @typedef {import("./types.d.ts").GatewayEvent} GatewayEvent */

/** How many are kept. */
const most = 200

/** One line of a list of events. @param {GatewayEvent} event */
export const eventLine = ({ at, level, replica, server, text }) =>
  element(
    "li",
    { "data-level": level },
    element("time", { datetime: new Date(at).toISOString(), title: date(at) }, time(at)),
    " ",
    ...(level === "info" ? [] : [element("span", { class: "level" }, level === "error" ? "Error" : "Warning"), " "]),
    ...(server === null ? [] : [element("strong", {}, clean(server, 60)), " "]),
    ...(replica === undefined ? [] : [element("span", { class: "of-replica" }, clean(replica, 40)), " "]),
    element("span", { class: "text" }, shortened(text.replace(/ {2,}/g, " · "), 400, "mcp-lifeline logs"))
  )

const list = byId("events")

/** Replaces what is shown. @param {ReadonlyArray<GatewayEvent>} events oldest first */
export const showAll = (events) => {
  list.replaceChildren(...events.slice(-most).toReversed().map(eventLine))
  place()
}

/** Adds one on top. @param {GatewayEvent} event */
export const add = (event) => {
  list.prepend(eventLine(event))
  while (list.childElementCount > most) list.lastElementChild?.remove()
  place()
}

const place = () => {
  show(list, list.childElementCount > 0)
  show(byId("no-events"), list.childElementCount === 0)
}
