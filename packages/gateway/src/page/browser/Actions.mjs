/** What can be done with a server, and how it went. */
import { h } from "preact"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
import * as Gateway from "./Gateway.mjs"
import { html } from "./html.mjs"
import { clean } from "./words.mjs"

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {keyof typeof words} Action */
/** @typedef {(outcome: { readonly text: string, readonly isBad: boolean }) => void} Say */

/** What each action is called, and what it says while it runs. */
const words = {
  login: { label: "Sign in", running: "Signing in" },
  approve: { label: "Approve", running: "Approving the tools of" },
  enable: { label: "Enable", running: "Enabling" },
  reconnect: { label: "Reconnect", running: "Reconnecting" },
  disable: { label: "Disable", running: "Disabling" }
}

const all = /** @type {ReadonlyArray<Action>} */ (Object.keys(words))

/** What an operator can do. @param {Server} server @returns {ReadonlyArray<Action>} */
const possible = ({ login, pins, state }) => {
  if (state === "Closed") return []
  /** @type {ReadonlyArray<Action>} */
  const approvals = (pins?.changes ?? []).length > 0 || pins?.unreadable !== undefined ? ["approve"] : []
  if (state === "Disabled" || state === "Disabling") return [...approvals, "enable"]
  return [...approvals, login === undefined ? "reconnect" : "login", "disable"]
}

/** Only addresses of the web: what a server names is not trusted to be one. @param {string | undefined} address */
const webAddress = (address) =>
  address !== undefined && URL.canParse(address) && /^https?:$/.test(new URL(address).protocol) ? address : undefined

/** What an action has done, by its answer. @param {Action} action @param {any} answer @returns {string} */
const doneText = (action, answer) => {
  if (action === "login" && typeof answer?.message === "string") return answer.message
  if (action !== "approve") return ""
  const tools = answer?.approved ?? []
  return tools.length === 0
    ? "The tools that it lists next count as approved"
    : `Approved as they are now: ${tools.join(", ")}`
}

/** @param {{ readonly action: Action, readonly isOffered: boolean, readonly name: string, readonly say: Say }} props */
const Button = ({ action, isOffered, name, say }) => {
  const [isRunning, setRunning] = useState(false)
  const { label, running } = words[action]
  const run = async () => {
    if (isRunning) return
    setRunning(true)
    say({ text: `${running} ${clean(name, 100)}`, isBad: false })
    try {
      const answer = await Gateway.act(name, action)
      say({ text: doneText(action, answer), isBad: false })
      const url = action === "login" ? webAddress(answer?.url) : undefined
      // A browser that does not open it still shows the link, which comes with the next status.
      if (url !== undefined) window.open(url, "_blank", "noopener,noreferrer")
    } catch (error) {
      say({ text: error instanceof Error ? error.message : String(error), isBad: true })
    }
    setRunning(false)
  }
  // Not `disabled`, which would take the focus away from whoever works by keyboard.
  return html`
    <button type="button" class=${action === "login" ? "primary" : undefined} aria-label="${label} ${clean(name, 100)}"
      aria-disabled=${isRunning || undefined} hidden=${!isOffered} onClick=${run}>${label}</button>
  `
}

/** @param {{ readonly caller: import("./types.d.ts").Status["gateway"]["caller"], readonly say: Say, readonly server: Server }} props */
export const Actions = ({ caller, say, server }) => {
  const node = useRef(/** @type {HTMLElement | null} */ (null))
  const focused = document.activeElement
  useLayoutEffect(() => {
    // A button that goes takes the focus with it: what stands there now gets it.
    if (focused instanceof HTMLElement && focused.hidden && node.current?.contains(focused)) {
      const next = /** @type {HTMLElement | null} */ (node.current.querySelector(":scope > :not([hidden])"))
      next?.focus({ preventScroll: true })
    }
  })
  const { clientLogins, login, name } = server
  const mayAct = caller?.admin !== false
  const url = mayAct ? webAddress(login?.url) : undefined
  // Some of those who use it have to log in for themselves, perhaps whoever looks, also if they may do nothing else.
  const isOwn = caller !== undefined && login === undefined && (clientLogins?.waiting ?? 0) > 0
  const offered = new Set([...(mayAct ? possible(server) : []), ...(isOwn ? ["login"] : [])])
  if (url !== undefined) offered.delete("login")
  const host = url && new URL(url).host
  return html`
    <div class="actions" ref=${node}>
      <a class="button primary" target="_blank" rel="noopener noreferrer" hidden=${
    url === undefined
  } href=${url} title=${host}
        aria-label="Sign in to ${clean(name, 100)} at ${host}, in a new tab">Sign in ↗</a>
      ${all.map((action) => h(Button, { key: action, action, isOffered: offered.has(action), name, say }))}
    </div>
  `
}
