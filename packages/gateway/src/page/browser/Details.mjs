/**
 * What a server shows when it is opened: what it is, its tools, and what has happened to it.
 */
import { clean, element, setText, shortened, show } from "./dom.mjs"
import { eventLine } from "./Events.mjs"
import * as Gateway from "./Gateway.mjs"
import { ownerOf } from "./Replicas.mjs"
import { bytes, moment, number, percent, plural, stateName } from "./words.mjs"

/** @typedef {import("./types.d.ts").ServerStatus} ServerStatus */

/**
 * How many tools or runtimes, and how many lines of its log, are shown at first, and at most. And how long a line of a difference may be, in
 * characters: more than any is, because the gateway shortens it and says how much it leaves out.
 */
const most = { items: 300, lines: 50, difference: 6000 }

const labels = /** @type {const} */ ([
  "Target",
  "Server",
  "Health",
  "Keepalive",
  "Learned",
  "Availability",
  "Generation",
  "Sessions",
  "Runs on",
  "Offers",
  "Memory",
  "Processor",
  "Last error",
  "Warnings"
])

/** How a tool is not as it was approved. */
const changeNames = { changed: "has changed", added: "is new", removed: "is gone", unknown: "may have changed" }

/** `152 MB, limit 1 GB, restarted 2 times because of it`. @param {ServerStatus} server */
const memoryOf = ({ memoryLimit, usage }) =>
  [
    ...(usage === undefined ? [] : [bytes(usage.memoryBytes)]),
    ...(memoryLimit === undefined ? [] : [`limit ${bytes(memoryLimit.bytes)}`]),
    ...(memoryLimit === undefined || memoryLimit.restarts === 0
      ? []
      : [`restarted ${plural(memoryLimit.restarts, "time")} because of it`])
  ].join(", ")

const healthNames = { CONNECTED: "healthy", UNHEALTHY: "unhealthy", DISCONNECTED: "not connected" }

/** `healthy, score 1.00`. @param {ServerStatus} server */
const healthOf = ({ health, healthScore }) =>
  health === undefined || healthScore === undefined ? "" : `${healthNames[health]}, score ${healthScore.toFixed(2)}`

/** `off: the server keeps no session`. @param {Pick<ServerStatus, "keepalive">} server */
const keepaliveOf = ({ keepalive }) =>
  keepalive === undefined
    ? ""
    : `${keepalive.state}${keepalive.reason === undefined ? "" : `: ${clean(keepalive.reason, 200)}`}`

/** The part of a row that opens. Made when it is opened for the first time: most rows never are. */
export class Details {
  /** @type {Map<string, { readonly term: HTMLElement, readonly value: HTMLElement }>} */
  #facts = new Map()
  #name
  /** Its tools; or its runtimes, where each client has its own. */
  #items = element("ul", { class: "tools", tabindex: "0" })
  /** What has changed in the definitions of its tools. */
  #changes = element("ul", { class: "changes", tabindex: "0" })
  #changesTitle = element("h4", {}, "Changed tools")
  #log = element("ol", { class: "events", tabindex: "0" })
  #itemsTitle = element("h4", {}, "Tools")
  /** The changes that are shown. */
  #shownChanges = ""
  /** What was read of the server is of this state of it. */
  #read = ""
  /** @type {ServerStatus | undefined} */
  #server

  /** @param {string} id @param {string} name */
  constructor(id, name) {
    this.#name = clean(name, 100)
    this.node = element("div", { class: "details", id, role: "group", "aria-label": `Details of ${this.#name}` })
    this.node.hidden = true
  }

  #build() {
    for (const label of labels) {
      const [term, value] = [element("dt", {}, label), element("dd")]
      this.#facts.set(label, { term, value })
    }
    this.#log.setAttribute("aria-label", `Events of ${this.#name}`)
    this.node.append(
      element(
        "dl",
        { class: "facts" },
        ...[...this.#facts.values()].map(({ term, value }) => element("div", {}, term, value))
      ),
      element("section", {}, this.#changesTitle, this.#changes),
      element("section", {}, this.#itemsTitle, this.#items),
      element("section", {}, element("h4", {}, "Events"), this.#log)
    )
  }

  /** @param {boolean} open @param {ServerStatus} server */
  open(open, server) {
    if (open && this.node.childElementCount === 0) this.#build()
    show(this.node, open)
    if (open) this.update(server)
    else this.#read = ""
  }

  /** @param {ServerStatus} server */
  update(server) {
    if (this.node.hidden) return
    this.#server = server
    const { counts, generation, hidden, lastError, sessions, target, warnings } = server
    this.#fact("Target", clean(target ?? "", 400))
    this.#fact("Server", server.server === null ? "" : clean(`${server.server.name} ${server.server.version}`, 200))
    this.#fact("Health", healthOf(server))
    this.#fact("Keepalive", keepaliveOf(server))
    this.#fact("Learned", (server.learned ?? []).join(", "))
    this.#fact("Generation", generation === undefined ? "" : String(generation))
    this.#fact("Sessions", sessions === "shared" ? "One for all clients" : "One for each client")
    this.#fact("Runs on", ownerOf(server, Date.now()) ?? "")
    this.#fact(
      "Offers",
      sessions === "per-client" ?
        "" :
        [plural(counts.tools, "tool"), plural(counts.prompts, "prompt"), plural(counts.resources, "resource")].join(
          ", "
        )
        + (hidden === undefined ? "" : `; ${number(hidden.tools + hidden.prompts + hidden.resources)} hidden`)
        + (server.stale ? " (stale: read before the connection was lost)" : "")
    )
    this.#fact("Memory", memoryOf(server))
    const cpu = server.usage?.cpuPercent ?? null
    this.#fact("Processor", cpu === null ? "" : `${percent(cpu)} of one core`)
    this.#fact("Last error", lastError === undefined ? "" : moment(lastError.at, Date.now()))
    this.#showChanges(server)
    this.#fact("Warnings", warnings.map((one) => shortened(one, 300, `mcp-lifeline status ${server.name}`)).join("; "))
    void this.#readMore(server)
  }

  /** @param {number} _now @param {string} availability */
  tick(_now, availability) {
    if (!this.node.hidden) this.#fact("Availability", availability)
  }

  /** @param {(typeof labels)[number]} label @param {string} text */
  #fact(label, text) {
    const fact = this.#facts.get(label)
    if (fact === undefined) return
    setText(fact.value, text)
    show(fact.value, text !== "")
    show(fact.term, text !== "")
  }

  /** @param {ServerStatus} server */
  #showChanges({ pins }) {
    const { changes = [], more = 0 } = pins ?? {}
    const encoded = JSON.stringify([changes, more])
    if (encoded === this.#shownChanges) return
    this.#shownChanges = encoded
    show(this.#changesTitle, changes.length > 0)
    show(this.#changes, changes.length > 0)
    this.#changes.setAttribute("aria-label", `Changed tools of ${this.#name}`)
    this.#changes.replaceChildren(
      ...changes.map(({ difference, kind, tool, withheld }) =>
        element(
          "li",
          {},
          element("code", {}, clean(tool, 120)),
          ` ${changeNames[kind]}${withheld ? ", withheld until it is approved" : ""}`,
          ...difference.map((line) => element("p", {}, clean(line, most.difference)))
        )
      ),
      ...(more === 0
        ? []
        : [element("li", {}, `… and ${number(more)} more: mcp-lifeline approve ${this.#name} --show`)])
    )
  }

  /** Reads tools or runtimes, and the log, again where they may have changed. @param {ServerStatus} server */
  async #readMore({ counts, generation, lastError, name, runtimesByState, sessions, since, stale, state }) {
    const key = JSON.stringify([counts, generation, lastError?.at, runtimesByState, since, stale, state])
    if (key === this.#read) return
    this.#read = key
    const server = encodeURIComponent(name)
    const [items, lines] = await Promise.allSettled([
      Gateway.get(sessions === "shared" ? `tools?server=${server}` : `servers/${server}`),
      Gateway.get(`logs?server=${server}&limit=${most.lines}`)
    ])
    if (this.#read !== key) return
    if (items.status === "rejected") {
      this.#items.replaceChildren(element("li", {}, `They could not be read: ${clean(items.reason.message)}`))
    } else if (sessions === "shared") this.#showTools(items.value.tools)
    else if (items.value.runtimes === undefined) this.#showNothing()
    else this.#showRuntimes(items.value.runtimes)
    if (lines.status === "fulfilled") this.#showLog(lines.value.events)
    else this.#log.replaceChildren(element("li", {}, `The events could not be read: ${clean(lines.reason.message)}`))
  }

  /** @param {ReadonlyArray<import("./types.d.ts").Tool>} tools */
  #showTools(tools) {
    this.#showItems("tool", tools, ({ description = "", name }) => [
      element("code", {}, clean(name, 120)),
      " ",
      element("span", {}, clean(description, 160))
    ])
  }

  /** @param {ReadonlyArray<import("./types.d.ts").Runtime>} runtimes */
  #showRuntimes(runtimes) {
    this.#showItems(
      "runtime",
      runtimes,
      ({ generation, healthScore, keepalive, number, replica, since, state, usage }) => [
        element("code", {}, replica === undefined ? `#${number}` : `${clean(replica, 40)} #${number}`),
        ` ${stateName(state)} `,
        element(
          "span",
          {},
          [
            `since ${moment(since, Date.now())}`,
            `generation ${generation}`,
            ...(healthScore === undefined ? [] : [`health ${healthScore.toFixed(2)}`]),
            ...(keepalive === undefined ? [] : [`keepalive ${keepalive.state}`]),
            ...(usage === undefined ? [] : [bytes(usage.memoryBytes)])
          ].join(", ")
        )
      ]
    )
  }

  /** Those of other clients are for admins. */
  #showNothing() {
    setText(this.#itemsTitle, "")
    show(this.#items, false)
  }

  /**
   * @template A
   * @param {string} noun
   * @param {ReadonlyArray<A>} items
   * @param {(item: A) => ReadonlyArray<Node | string>} contentOf
   */
  #showItems(noun, items, contentOf) {
    setText(this.#itemsTitle, items.length === 0 ? `No ${noun}s` : plural(items.length, noun))
    this.#items.setAttribute("aria-label", `${noun}s of ${this.#name}`)
    show(this.#items, items.length > 0)
    const shown = items.slice(0, most.items).map((item) => element("li", {}, ...contentOf(item)))
    if (items.length > most.items) shown.push(element("li", {}, `… and ${number(items.length - most.items)} more`))
    this.#items.replaceChildren(...shown)
  }

  /** @param {ReadonlyArray<import("./types.d.ts").GatewayEvent>} lines */
  #showLog(lines) {
    const shown = lines.toReversed().map((line) => eventLine({ ...line, server: null }))
    this.#log.replaceChildren(...(shown.length > 0 ? shown : [element("li", {}, "Nothing yet")]))
  }

  /** An event of the server has happened. @param {import("./types.d.ts").GatewayEvent} event */
  event(event) {
    if (this.node.hidden || this.#server === undefined) return
    this.#log.prepend(eventLine({ ...event, server: null }))
    while (this.#log.childElementCount > most.lines) this.#log.lastElementChild?.remove()
  }
}
