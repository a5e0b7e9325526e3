/** The page around the list of servers: the gateway, its replicas, its events, and the form that asks for its token. */
import { h } from "preact"
import { useLayoutEffect, useMemo, useRef } from "preact/hooks"
import { eventLine } from "./eventLine.mjs"
import * as Gateway from "./Gateway.mjs"
import { html } from "./html.mjs"
import { ServerList } from "./ServerList.mjs"
import { mark } from "./shapes.mjs"
import { clean, longDuration, moment, plural, time } from "./words.mjs"

/** @typedef {import("./types.d.ts").Status} Status */
/** @typedef {import("./types.d.ts").Replica} Replica */

/**
 * @typedef {object} State
 * @property {keyof typeof linkNames} link
 * @property {string} problem why it is lost or locked, as far as the gateway has said
 * @property {Status | undefined} status what the gateway has said last
 * @property {number} at when that was, by our clock
 * @property {number} now by the clock of the gateway
 * @property {import("./types.d.ts").Events} events newest first
 * @property {string} announcement
 */

const linkNames = { connecting: "Connecting", live: "Live", lost: "Not connected", locked: "Locked" }

/** What is written of calls, and what is not. @param {NonNullable<Status["gateway"]["audit"]>} audit */
const auditText = ({ file, lost, problem = file }) =>
  `${clean(problem, 500)}${lost === 0 ? "" : `. ${lost} ${lost === 1 ? "call has" : "calls have"} no line`}`

/** @param {{ readonly status: Status, readonly now: number }} props */
const Facts = ({ now, status: { gateway, replicas } }) => {
  const { audit, caller } = gateway
  /** What has been wrong stays in the list when it is right again. @type {Set<string>} */
  const wrong = useRef(new Set()).current
  /** @param {string} label @param {string | undefined} problem @param {string} right @param {string} [before] */
  const whether = (label, problem, right, before = "") => {
    if (problem !== undefined) wrong.add(label)
    return [label, problem !== undefined ? before + clean(problem, 500) : wrong.has(label) ? right : undefined]
  }
  const clients = replicas?.reduce((sum, { clients = 0 }) => sum + clients, 0) ?? gateway.clients
  return [
    ["Endpoint", clean(gateway.url, 200)],
    ["Running for", longDuration(now - gateway.startedAt)],
    ["Clients", String(clients)],
    ["Configuration", gateway.config && clean(gateway.config, 200)],
    ["You", caller && `${clean(caller.name ?? "signed in", 100)}${caller.admin ? ", admin" : ", who may look"}`],
    whether("Access tokens", gateway.authProblem, "can be checked"),
    whether("Tokens of clients", gateway.tokenProblem, "each has its own"),
    ["Audit", audit && auditText(audit)],
    whether("Last save", gateway.configProblem, "in force", "not in force, or not as a whole: "),
    ["Version", clean(gateway.version, 40)],
    ["Process", gateway.pid?.toString()]
  ].map(([label, text]) => text !== undefined && html`<div key=${label}><dt>${label}</dt><dd>${text}</dd></div>`)
}

/** @param {{ readonly isLocked: boolean, readonly problem: string, readonly wake: () => void }} props */
const SignOn = ({ isLocked, problem, wake }) => {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null))
  useLayoutEffect(() => {
    if (isLocked) input.current?.focus()
  }, [isLocked])
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    if (input.current === null) return
    Gateway.setToken(input.current.value.trim())
    input.current.value = ""
    input.current.focus()
    wake()
  }
  return html`
    <form id="sign-on" class="sign-on" hidden=${!isLocked} onSubmit=${submit}>
      <h2>This gateway asks for its token</h2>
      <p>You gave it with <code>--token-file</code>, <code>MCP_LIFELINE_TOKEN</code> or <code>--token</code>. If you gave none,
        the gateway generated one: its output shows the token, or names the file that contains it. It also takes the token
        of a client with a name, and with <code>lifeline.auth</code> an access token of the authorization server. This browser
        tab keeps the token until you close the tab.</p>
      <label for="token">Token</label>
      <div class="field">
        <input ref=${input} id="token" name="token" type="password" autocomplete="off" spellcheck=${false} required
          aria-describedby="token-problem" />
        <button class="primary">Continue</button>
      </div>
      <p id="token-problem" class="problem" role="alert">${isLocked && problem}</p>
    </form>
  `
}

/** How many replicas are not reached. @param {ReadonlyArray<Replica> | undefined} replicas */
export const missing = (replicas = []) => replicas.filter(({ state }) => state !== "reached").length

/** `alpha, beta and 3 more`. @param {ReadonlyArray<string>} servers */
const listed = (servers, named = 5) => {
  const names = servers.slice(0, named).map((name) => clean(name, 60)).join(", ")
  return servers.length > named ? `${names} and ${servers.length - named} more` : names || "no server"
}

/** @param {Replica} replica @param {number} now */
const replicaItem = ({ address, clients, id, isHere, problem, servers, since, startedAt, state }, now) => {
  const isReached = state === "reached"
  const condition = isReached ? "up" : "down"
  const from = isReached ? startedAt ?? since : since
  const sessions = clients === undefined ? "" : `, ${plural(clients, "client")}`
  return html`
    <li key=${id} class="replica" data-condition=${condition}>
      <h3>${mark(condition)}<span>${clean(id, 40)}</span></h3>
      <p>
        <span class="state-name">${isHere ? "This one" : isReached ? "Reached" : "Not reached"}</span>${" "}
        <span class="since" title=${`Since ${moment(from, now)}`}>
          ${`${isReached ? "running for" : "for"} ${longDuration(now - from)}`}
        </span>
      </p>
      <p class="address">${clean(address, 100)}</p>
      ${
    servers && html`<p class="runs">${`${isReached ? "Runs" : "Last seen with"} ${listed(servers)}${sessions}`}</p>`
  }
      ${problem && html`<p class="problem">${clean(problem)}</p>`}
    </li>
  `
}

const forget = () => {
  Gateway.setToken(undefined)
  location.reload()
}

/** @param {State & { readonly wake: () => void }} props */
export const Page = ({ announcement, at, events, link, now, problem, status, wake }) => {
  const isLocked = link === "locked"
  const isShown = !isLocked && status !== undefined
  const what = problem === "" ? "The gateway does not answer." : `The gateway answers: ${problem}`
  const asOf = status === undefined ? "" : ` What you see is from ${time(at)}.`
  const lines = useMemo(() => events.map((event) => eventLine(event)), [events])
  return html`
    <a id="skip" class="skip" href="#servers" hidden=${!isShown}>Skip to the servers</a>
    <header>
      <h1><img src="page/icon.svg" alt="" width="28" height="28" />Lifeline</h1>
      <p id="link" class="link" data-state=${link}>${linkNames[link]}</p>
      <dl id="gateway" class="facts" hidden=${!isShown}>${status && h(Facts, { status, now })}</dl>
    </header>
    <main>
      <div id="trouble" class="trouble" role="alert" hidden=${link !== "lost"}>
        <p id="trouble-text">${link === "lost" && `${what}${asOf} This page tries again by itself.`}</p>
        <button id="retry" type="button" onClick=${wake}>Try now</button>
      </div>
      ${h(SignOn, { isLocked, problem, wake })}
      <section id="replicas" class="replicas" aria-labelledby="replicas-title"
        hidden=${isLocked || status?.replicas === undefined}>
        <h2 id="replicas-title">Replicas</h2>
        <ul id="replica-list">${status?.replicas?.map((replica) => replicaItem(replica, now))}</ul>
      </section>
      <div id="content" class="content" data-link=${link} hidden=${!isShown}>
        ${h(ServerList, { status, now, events })}
        <aside aria-labelledby="events-title">
          <h2 id="events-title">Events</h2>
          <ol id="events" class="events" tabindex="0" aria-labelledby="events-title" hidden=${
    events.length === 0
  }>${lines}</ol>
          <p id="no-events" class="none" hidden=${
    events.length > 0
  }>Nothing has happened since this page was opened.</p>
        </aside>
      </div>
    </main>
    <footer>
      <button id="forget" type="button" hidden=${
    isLocked || !Gateway.hasToken()
  } onClick=${forget}>Forget the token</button>
    </footer>
    <div id="announcer" class="unseen" aria-live="polite">${announcement || undefined}</div>
  `
}
