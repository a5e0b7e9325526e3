/** Says aloud, to those who do not see the page, which servers changed their state: some at a time, and never in a flood. */
import { clean, stateName } from "./words.mjs"

/** @typedef {import("./types.d.ts").Server} Server */

/** How long changes are collected, in milliseconds, and how many are named. */
const [pause, named] = [1500, 3]

/** Gives what takes the servers of each status. @param {(text: string) => void} say */
export const make = (say) => {
  /** @type {Map<string, Server["state"]> | undefined} */
  let states
  /** @type {Map<string, Server["state"]>} */
  const changed = new Map()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const speak = () => {
    timer = undefined
    const texts = [...changed].map(([name, state]) => `${clean(name, 60)}: ${stateName(state)}`)
    say(texts.length > named ? `${texts.length} servers have changed their state` : texts.join(", "))
    changed.clear()
  }

  return (/** @type {ReadonlyArray<Server>} */ servers) => {
    for (const { name, state } of servers) {
      if (states !== undefined && states.get(name) !== state) changed.set(name, state)
    }
    states = new Map(servers.map(({ name, state }) => [name, state]))
    if (changed.size > 0) timer ??= setTimeout(speak, pause)
  }
}
