/**
 * What can be done with a server, and how it went.
 */
import { clean, element, setText, show } from "./dom.mjs"
import * as Gateway from "./Gateway.mjs"

/** @typedef {import("./types.d.ts").ServerStatus} ServerStatus */
/** @typedef {"login" | "approve" | "enable" | "reconnect" | "disable"} Action */

/** What each action is called, and what it says while it runs. @type {Readonly<Record<Action, { readonly label: string, readonly running: string }>>} */
const words = {
  login: { label: "Sign in", running: "Signing in" },
  approve: { label: "Approve", running: "Approving the tools of" },
  enable: { label: "Enable", running: "Enabling" },
  reconnect: { label: "Reconnect", running: "Reconnecting" },
  disable: { label: "Disable", running: "Disabling" }
}

const all = /** @type {ReadonlyArray<Action>} */ (Object.keys(words))

/** @param {ServerStatus} server @returns {ReadonlyArray<Action>} */
const possible = ({ login, pins, state }) => {
  if (state === "Closed") return []
  /** @type {ReadonlyArray<Action>} */
  const approvals = (pins?.changes ?? []).length > 0 || pins?.unreadable !== undefined ? ["approve"] : []
  if (state === "Disabled" || state === "Disabling") return [...approvals, "enable"]
  return [...approvals, login === undefined ? "reconnect" : "login", "disable"]
}

/** What an approval has done. @param {ReadonlyArray<string>} tools */
const approvedText = (tools) =>
  tools.length === 0
    ? "The tools that it lists next count as approved"
    : `Approved as they are now: ${tools.join(", ")}`

/** Only addresses of the web: what a server names is not trusted to be one. @param {string | undefined} address */
const webAddress = (address) =>
  address !== undefined && URL.canParse(address) && /^https?:$/.test(new URL(address).protocol) ? address : undefined

/** The buttons of one server. */
export class Actions {
  #name
  #buttons
  #link = element("a", { class: "button primary", target: "_blank", rel: "noopener noreferrer" })
  #state = ""
  /** How the last action went. */
  outcome = element("p", { class: "outcome", role: "status" })

  /** @param {string} name */
  constructor(name) {
    this.#name = name
    this.#buttons = new Map(all.map((action) => {
      const label = `${words[action].label} ${clean(name, 100)}`
      const button = element("button", { type: "button", "aria-label": label }, words[action].label)
      if (action === "login") button.classList.add("primary")
      button.addEventListener("click", () => this.#run(action, button))
      return [action, button]
    }))
    this.node = element("div", { class: "actions" }, this.#link, ...this.#buttons.values())
  }

  /** @param {ServerStatus} server */
  update(server) {
    const offered = possible(server)
    const focused = document.activeElement
    const url = webAddress(server.login?.url)
    // Some of those who use it have to log in for themselves, perhaps whoever looks. The style shows it to them alone, also if they may do nothing else.
    const isOwn = server.login === undefined && (server.clientLogins?.waiting ?? 0) > 0
    this.#buttons.get("login")?.classList.toggle("own", isOwn)
    for (const [action, button] of this.#buttons) {
      const isOffered = offered.includes(action) || (action === "login" && isOwn)
      show(button, isOffered && !(action === "login" && url !== undefined))
    }
    this.#offer(url)
    // A button that goes takes the focus with it: what stands there now gets it.
    if (focused instanceof HTMLElement && focused.hidden && this.node.contains(focused)) {
      const next = [this.#link, ...this.#buttons.values()].find((one) => !one.hidden)
      next?.focus({ preventScroll: true })
    }
    if (server.state !== this.#state && this.#state !== "") this.#say("")
    this.#state = server.state
  }

  /** Offers the address where a person signs in. @param {string | undefined} url */
  #offer(url) {
    show(this.#link, url !== undefined)
    if (url === undefined || this.#link.getAttribute("href") === url) return
    const { host } = new URL(url)
    this.#link.href = url
    this.#link.title = host
    setText(this.#link, "Sign in ↗")
    this.#link.setAttribute("aria-label", `Sign in to ${clean(this.#name, 100)} at ${host}, in a new tab`)
  }

  /** @param {string} text @param {boolean} [bad] */
  #say(text, bad = false) {
    setText(this.outcome, clean(text))
    this.outcome.classList.toggle("bad", bad)
  }

  /** @param {Action} action @param {HTMLButtonElement} button */
  async #run(action, button) {
    if (button.getAttribute("aria-disabled") === "true") return
    // Not `disabled`, which would take the focus away from whoever works by keyboard.
    button.setAttribute("aria-disabled", "true")
    this.#say(`${words[action].running} ${clean(this.#name, 100)}`)
    try {
      const answer = await Gateway.act(this.#name, action)
      const url = action === "login" ? webAddress(answer?.url) : undefined
      this.#say(
        action === "login" && typeof answer?.message === "string"
          ? answer.message
          : action === "approve"
          ? approvedText(answer?.approved ?? [])
          : ""
      )
      // A browser that does not open it still shows the link, which comes with the next status.
      if (url !== undefined) window.open(url, "_blank", "noopener,noreferrer")
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error), true)
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }
}
