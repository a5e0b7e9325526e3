/**
 * The replicas of a cluster: which there are, what each of them runs, and which are not reached.
 */
import { byId, clean, element, setAttribute, setText, show } from "./dom.mjs"
import * as Shapes from "./Shapes.mjs"
import { longDuration, moment, plural } from "./words.mjs"

/** @typedef {import("./types.d.ts").Replica} Replica */
/** @typedef {import("./types.d.ts").ServerStatus} ServerStatus */

/** How many servers are named. */
const named = 5

/** What shows one replica. */
const makeRow = () => {
  const mark = Shapes.mark()
  const name = element("span")
  const state = element("span", { class: "state-name" })
  const since = element("span", { class: "since" })
  const address = element("p", { class: "address" })
  const runs = element("p", { class: "runs" })
  const problem = element("p", { class: "problem" })
  const heading = element("h3", {}, mark, name)
  const node = element("li", { class: "replica" }, heading, element("p", {}, state, " ", since), address, runs, problem)
  return { node, mark, name, state, since, address, runs, problem }
}

/** @type {Map<string, ReturnType<typeof makeRow>>} */
const rows = new Map()

/** @param {HTMLElement} node @param {string} text */
const write = (node, text) => {
  setText(node, text)
  show(node, text !== "")
}

/** `alpha, beta and 3 more`. @param {ReadonlyArray<string>} servers */
const listed = (servers) => {
  const names = servers.slice(0, named).map((name) => clean(name, 60)).join(", ")
  return servers.length > named ? `${names} and ${servers.length - named} more` : names
}

/** @param {ReadonlyArray<Replica> | undefined} replicas @param {number} now */
export const update = (replicas, now) => {
  show(byId("replicas"), replicas !== undefined)
  if (replicas === undefined) return
  const ids = new Set(replicas.map(({ id }) => id))
  for (const [id, { node }] of rows) {
    if (ids.has(id)) continue
    node.remove()
    rows.delete(id)
  }
  for (const { address, clients, id, isHere, problem, servers, since, startedAt, state } of replicas) {
    let row = rows.get(id)
    if (row === undefined) {
      row = makeRow()
      rows.set(id, row)
      byId("replica-list").append(row.node)
    }
    const isReached = state === "reached"
    setAttribute(row.node, "data-condition", isReached ? "up" : "down")
    Shapes.setCondition(row.mark, isReached ? "up" : "down")
    write(row.name, clean(id, 40))
    write(row.state, isHere ? "This one" : isReached ? "Reached" : "Not reached")
    const from = isReached ? startedAt ?? since : since
    write(row.since, `${isReached ? "running for" : "for"} ${longDuration(now - from)}`)
    setAttribute(row.since, "title", `Since ${moment(from, now)}`)
    write(row.address, clean(address, 100))
    const has = servers === undefined || servers.length === 0 ? "no server" : listed(servers)
    const sessions = clients === undefined ? "" : `, ${plural(clients, "client")}`
    write(row.runs, servers === undefined ? "" : `${isReached ? "Runs" : "Last seen with"} ${has}${sessions}`)
    write(row.problem, problem === undefined ? "" : clean(problem))
  }
}

/** Which replica has a server; `undefined` where none has, or there is only one. @param {ServerStatus} server @param {number} now */
export const ownerOf = ({ owner }, now) =>
  owner === undefined ? undefined : `replica ${clean(owner.replica, 40)}, since ${moment(owner.since, now)}`

/** How many are not reached. @param {ReadonlyArray<Replica> | undefined} replicas */
export const missing = (replicas = []) => replicas.filter(({ state }) => state !== "reached").length
