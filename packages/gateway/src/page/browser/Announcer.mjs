/**
 * Says aloud, to those who do not see the page, which servers changed their state: some at a time, and never in a flood.
 */
import { byId, clean, setText } from "./dom.mjs"
import { stateName } from "./words.mjs"

/** @typedef {import("./types.d.ts").State} State */
/** @typedef {import("./types.d.ts").Status} Status */

/** How long changes are collected, in milliseconds, and how many are named. */
const [pause, named] = [1500, 3]

/** @type {Map<string, State> | undefined} */
let states
/** @type {Map<string, State>} */
const changed = new Map()
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer

const speak = () => {
  timer = undefined
  const texts = [...changed].map(([name, state]) => `${clean(name, 60)}: ${stateName(state)}`)
  setText(
    byId("announcer"),
    texts.length > named ? `${texts.length} servers have changed their state` : texts.join(", ")
  )
  changed.clear()
}

/** Takes a status. @param {Status} status */
export const update = ({ servers }) => {
  for (const { name, state } of servers) {
    if (states !== undefined && states.get(name) !== state) changed.set(name, state)
  }
  states = new Map(servers.map(({ name, state }) => [name, state]))
  if (changed.size > 0) timer ??= setTimeout(speak, pause)
}
