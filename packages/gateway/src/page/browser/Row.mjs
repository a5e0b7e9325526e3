/**
 * One server of the list.
 */
import { Actions } from "./Actions.mjs"
import { Details } from "./Details.mjs"
import { clean, element, setAttribute, setText, show } from "./dom.mjs"
import * as Shapes from "./Shapes.mjs"
import * as Timeline from "./Timeline.mjs"
import {
  bytes,
  conditionOf,
  duration,
  longDuration,
  millis,
  moment,
  number,
  perClient,
  plural,
  stateName
} from "./words.mjs"

/** @typedef {import("./types.d.ts").ServerStatus} ServerStatus */

let rows = 0

/** A number with what it counts, and a second one below it. @param {string} [before] stands before the number */
const figure = (before = "") => {
  const value = element("span", { class: "value" })
  const unit = element("span", { class: "unit" }, before)
  const more = element("span", { class: "more" })
  const first = before === "" ? [value, " ", unit] : [unit, " ", value]
  return { value, unit, more, node: element("span", { class: "figure" }, ...first, more) }
}

/** A server of the list: what it shows follows `update`, and what only time changes follows `tick`. */
export class Row {
  /** @type {ServerStatus} */
  #server
  #encoded = ""
  #id = `server-${++rows}`
  #mark = Shapes.mark()
  #state = element("span", { class: "state-name" })
  #since = element("span", { class: "since" })
  #runtimes = element("span", { class: "runtimes" })
  #about = element("span", { class: "about" })
  #strip = Shapes.strip()
  #calls = figure()
  #median = figure("p50")
  #tools = figure()
  #problem = element("p", { class: "problem" })
  #remedy = element("p", { class: "remedy" })
  #next = element("p", { class: "next" })
  #toggle
  #actions
  #details

  /** @param {ServerStatus} server */
  constructor(server) {
    this.#server = server
    this.#toggle = element(
      "button",
      { type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": `${this.#id}-details` },
      element("span", { class: "name", id: `${this.#id}-name` }, clean(server.name, 100))
    )
    this.#actions = new Actions(server.name)
    this.#details = new Details(`${this.#id}-details`, server.name)
    this.#toggle.addEventListener("click", () => this.#open(!this.isOpen))
    this.node = element(
      "li",
      { class: "server", "aria-labelledby": `${this.#id}-name` },
      element(
        "div",
        { class: "line" },
        element("div", { class: "identity" }, element("h3", {}, this.#toggle), this.#about),
        element("div", { class: "state" }, this.#mark, this.#state, this.#since, this.#runtimes),
        this.#strip.svg,
        element(
          "div",
          { class: "figures" },
          ...[this.#calls, this.#median, this.#tools].map(({ node }) => node)
        ),
        this.#actions.node
      ),
      element("div", { class: "trouble-of-server" }, this.#problem, this.#remedy, this.#next),
      this.#actions.outcome,
      this.#details.node
    )
  }

  get isOpen() {
    return this.#toggle.getAttribute("aria-expanded") === "true"
  }

  get server() {
    return this.#server
  }

  /** @param {boolean} open */
  #open(open) {
    this.#toggle.setAttribute("aria-expanded", String(open))
    this.node.classList.toggle("open", open)
    this.#details.open(open, this.#server)
  }

  /** Takes what is known of the server now, and writes what differs. @param {ServerStatus} server */
  update(server) {
    const encoded = JSON.stringify(server)
    if (encoded === this.#encoded) return
    this.#encoded = encoded
    this.#server = server
    const {
      calls,
      counts,
      lastError,
      login,
      owner,
      runtimesByState,
      server: info,
      sessions,
      stale,
      state,
      transport,
      usage
    } = server
    const condition = login === undefined ? conditionOf(state) : "down"
    setAttribute(this.node, "data-condition", condition)
    Shapes.setCondition(this.#mark, condition)
    setText(this.#state, login === undefined ? stateName(state) : "Sign-in needed")
    setText(this.#runtimes, runtimesByState === undefined ? "" : perClient(runtimesByState))
    show(this.#runtimes, runtimesByState !== undefined)
    setText(
      this.#about,
      [
        owner === undefined ? transport : `${transport} on ${owner.replica}`,
        ...(usage === undefined ? [] : [bytes(usage.memoryBytes)]),
        ...(info === null ? [] : [`${info.name} ${info.version}`])
      ].map((one) => clean(one, 80)).join(" · ")
    )
    setText(this.#calls.value, number(calls.total))
    setText(this.#calls.unit, calls.total === 1 ? "call" : "calls")
    const givenUp = calls.givenUp === 0 ? "" : `, ${number(calls.givenUp)} given up`
    setText(this.#calls.more, `${number(calls.failed)} failed${givenUp}`)
    setAttribute(this.#calls.more, "data-some", calls.failed > 0 ? "" : undefined)
    setText(this.#median.value, calls.p50Millis === null ? "–" : millis(calls.p50Millis))
    setText(this.#median.more, `${number(calls.inFlight)} in flight`)
    // What a server offers each client may differ.
    setText(this.#tools.value, sessions === "shared" ? number(counts.tools) : "–")
    setText(this.#tools.unit, counts.tools === 1 ? "tool" : "tools")
    setText(this.#tools.more, stale ? "stale" : "")
    // What failed before a server was disabled is over.
    const error = state === "Disabled" || state === "Disabling" ? undefined : lastError
    setText(this.#problem, clean(login?.message ?? error?.message ?? ""))
    const remedy = login === undefined ? error?.remedy : undefined
    setText(this.#remedy, clean(remedy ?? ""))
    show(this.#problem, login !== undefined || error !== undefined)
    show(this.#remedy, remedy !== undefined)
    this.#actions.update(server)
    this.#details.update(server)
  }

  /** Something has happened to the server. @param {import("./types.d.ts").GatewayEvent} event */
  event(event) {
    this.#details.event(event)
  }

  /** Writes what time has changed. @param {number} now @param {Timeline.Window} window */
  tick(now, window) {
    const { attempt, history, nextAttemptAt, since, state } = this.#server
    setText(this.#since, `for ${longDuration(now - since)}`)
    setAttribute(this.#since, "title", `Since ${moment(since, now)}`)
    const waits = nextAttemptAt !== undefined && state !== "Connected"
    show(this.#next, waits)
    if (waits) {
      const when = nextAttemptAt - now > 500 ? `in ${duration(nextAttemptAt - now)}` : "now"
      const failed = attempt === undefined || attempt < 1 ? "" : `, after ${plural(attempt, "failed attempt")}`
      setText(this.#next, `Next attempt ${when}${failed}`)
    }
    const { losses, share } = Timeline.summary(history, window.length, now)
    const health = share === undefined
      ? "nothing is known"
      : `connected ${percent(share)} of the time${losses === 0 ? "" : `, lost ${plural(losses, "time")}`}`
    this.#strip.draw(Timeline.conditions(history, window.length, now), `${window.name}: ${health}`)
    this.#details.tick(now, `${window.name}: ${health}`)
  }
}

/** 100 % only where nothing was lost. @param {number} share */
const percent = (share) => `${share === 1 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1)}\u00a0%`
