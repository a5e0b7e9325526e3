/** One server of the list. */
import { h } from "preact"
import { useId, useLayoutEffect, useState } from "preact/hooks"
import { Actions } from "./Actions.mjs"
import { Details } from "./Details.mjs"
import { html } from "./html.mjs"
import { mark, strip } from "./shapes.mjs"
import * as Timeline from "./Timeline.mjs"
import * as words from "./words.mjs"

const { clean, number, plural } = words

/** @typedef {import("./types.d.ts").Server} Server */

/** Nothing is said of an action. */
const silence = { text: "", isBad: false }

/** 100 % only where nothing was lost. @param {number} share */
const percent = (share) => `${share === 1 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)}\u00a0%`

/** @param {Server} server @param {Timeline.Window} window @param {number} now */
const availabilityOf = ({ history }, { length, name }, now) => {
  const { losses, share } = Timeline.summary(history, length, now)
  if (share === undefined) return `${name}: nothing is known`
  return `${name}: connected ${percent(share)} of the time${losses === 0 ? "" : `, lost ${plural(losses, "time")}`}`
}

/** `stdio · 152 MB · files 1.2.3`. @param {Server} server */
const aboutOf = ({ owner, server, transport, usage }) =>
  words.joined(" · ", [
    clean(owner === undefined ? transport : `${transport} on ${owner.replica}`, 80),
    usage && words.bytes(usage.memoryBytes),
    server && clean(`${server.name} ${server.version}`, 80)
  ])

/** When the next attempt is due; undefined where none is. @param {Server} server @param {number} now */
const nextOf = ({ attempt = 0, nextAttemptAt, state }, now) => {
  if (nextAttemptAt === undefined || state === "Connected") return undefined
  const when = nextAttemptAt - now > 500 ? `in ${words.duration(nextAttemptAt - now)}` : "now"
  return `Next attempt ${when}${attempt < 1 ? "" : `, after ${plural(attempt, "failed attempt")}`}`
}

/** @param {Server} server */
const figures = ({ calls, counts, sessions, stale }) => {
  const givenUp = calls.givenUp === 0 ? "" : `, ${number(calls.givenUp)} given up`
  const failed = `${number(calls.failed)} failed${givenUp}`
  // What a server offers each client may differ.
  const tools = sessions === "shared" ? number(counts.tools) : "–"
  return html`
    <div class="figures">
      <span class="figure">
        <span class="value">${number(calls.total)}</span>${" "}
        <span class="unit">${calls.total === 1 ? "call" : "calls"}</span>
        <span class="more" data-some=${calls.failed > 0 ? "" : undefined}>${failed}</span>
      </span>
      <span class="figure">
        <span class="unit">p50</span>${" "}
        <span class="value">${calls.p50Millis === null ? "–" : words.millis(calls.p50Millis)}</span>
        <span class="more">${`${number(calls.inFlight)} in flight`}</span>
      </span>
      <span class="figure">
        <span class="value">${tools}</span>${" "}
        <span class="unit">${counts.tools === 1 ? "tool" : "tools"}</span>
        <span class="more">${stale && "stale"}</span>
      </span>
    </div>
  `
}

/** @param {{ caller: import("./types.d.ts").Status["gateway"]["caller"], events: import("./types.d.ts").Events, isShown: boolean, now: number, server: Server, window: Timeline.Window }} props */
export const Row = ({ caller, events, isShown, now, server, window }) => {
  const id = useId()
  const [isOpen, open] = useState(false)
  const [outcome, say] = useState(silence)
  const { history, lastError, login, runtimesByState, since, state } = server
  useLayoutEffect(() => say(silence), [state])
  const condition = login === undefined ? words.conditionOf(state) : "down"
  // What failed before a server was disabled is over.
  const error = state === "Disabled" || state === "Disabling" ? undefined : lastError
  const problem = login?.message ?? error?.message
  const remedy = login === undefined ? error?.remedy : undefined
  const next = nextOf(server, now)
  const availability = availabilityOf(server, window, now)
  return html`
    <li class=${
    isOpen ? "server open" : "server"
  } aria-labelledby="${id}-name" data-condition=${condition} hidden=${!isShown}>
      <div class="line">
        <div class="identity">
          <h3>
            <button type="button" class="toggle" aria-expanded=${isOpen} aria-controls="${id}-details"
              onClick=${() => open(!isOpen)}>
              <span class="name" id="${id}-name">${clean(server.name, 100)}</span>
            </button>
          </h3>
          <span class="about">${aboutOf(server)}</span>
        </div>
        <div class="state">
          ${mark(condition)}
          <span class="state-name">${login === undefined ? words.stateName(state) : "Sign-in needed"}</span>
          <span class="since" title=${`Since ${words.moment(since, now)}`}>${`for ${
    words.longDuration(now - since)
  }`}</span>
          ${runtimesByState && html`<span class="runtimes">${words.perClient(runtimesByState)}</span>`}
        </div>
        ${strip(Timeline.conditions(history, window.length, now), availability)}
        ${figures(server)}
        ${h(Actions, { caller, say, server })}
      </div>
      <div class="trouble-of-server">
        ${problem !== undefined && html`<p class="problem">${clean(problem)}</p>`}
        ${remedy !== undefined && html`<p class="remedy">${clean(remedy)}</p>`}
        ${next !== undefined && html`<p class="next">${next}</p>`}
      </div>
      <p class=${outcome.isBad ? "outcome bad" : "outcome"} role="status">${clean(outcome.text) || undefined}</p>
      ${h(Details, { id: `${id}-details`, availability, events, isOpen, server })}
    </li>
  `
}
