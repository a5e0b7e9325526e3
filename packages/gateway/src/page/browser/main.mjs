/**
 * The status page: what the gateway says, as it says it.
 */
import * as Announcer from "./Announcer.mjs"
import { byId, clean, element, setAttribute, setText, show } from "./dom.mjs"
import * as Events from "./Events.mjs"
import * as Feed from "./Feed.mjs"
import * as Gateway from "./Gateway.mjs"
import * as Replicas from "./Replicas.mjs"
import * as ServerList from "./ServerList.mjs"
import { longDuration, time } from "./words.mjs"

/** @typedef {import("./types.d.ts").Status} Status */

/** What the gateway has said last, and when. @type {{ readonly status: Status, readonly at: number } | undefined} */
let last
/** Whether a frame is awaited that draws it. */
let awaited = false
/** How far the gateway's clock is ahead of ours. */
let offset = 0

const now = () => Date.now() + offset

/** Shows whether what stands on the page is true now. @param {"connecting" | "live" | "lost" | "locked"} state @param {string} text */
const setLink = (state, text) => {
  setAttribute(document.documentElement, "data-link", state)
  setAttribute(byId("link"), "data-state", state)
  setText(byId("link"), text)
  show(byId("trouble"), state === "lost")
  show(byId("sign-on"), state === "locked")
  const isClustered = last?.status.replicas !== undefined
  show(byId("replicas"), state !== "locked" && isClustered)
  for (const id of ["skip", "gateway", "content"]) show(byId(id), state !== "locked" && last !== undefined)
  show(byId("forget"), state !== "locked" && Gateway.hasToken())
}

/** Facts about the gateway, of which each is written where it differs. @type {Map<string, HTMLElement>} */
const facts = new Map()

/** @param {string} label @param {string} text */
const fact = (label, text) => {
  let value = facts.get(label)
  if (value === undefined) {
    value = element("dd")
    facts.set(label, value)
    byId("gateway").append(element("div", {}, element("dt", {}, label), value))
  }
  setText(value, text)
}

/** Of all replicas. @param {ReadonlyArray<import("./types.d.ts").Replica>} replicas */
const clientsOf = (replicas) => replicas.reduce((sum, { clients = 0 }) => sum + clients, 0)

/** What is written of calls, and what is not. @param {NonNullable<Status["gateway"]["audit"]>} audit */
const auditText = ({ file, lost, problem }) => {
  const text = clean(problem ?? file, 500)
  return lost === 0 ? text : `${text}. ${lost} ${lost === 1 ? "call has" : "calls have"} no line`
}

const draw = () => {
  awaited = false
  if (last === undefined) return
  const { status: { gateway } } = last
  fact("Endpoint", clean(gateway.url, 200))
  fact("Running for", longDuration(now() - gateway.startedAt))
  fact("Clients", String(last.status.replicas === undefined ? gateway.clients : clientsOf(last.status.replicas)))
  if (gateway.config !== undefined) fact("Configuration", clean(gateway.config, 200))
  const { audit, authProblem, caller, configProblem, tokenProblem } = gateway
  if (caller !== undefined) {
    fact("You", `${clean(caller.name ?? "signed in", 100)}${caller.admin ? ", admin" : ", who may look"}`)
  }
  // Its style leaves out the buttons that the gateway would refuse.
  document.body.classList.toggle("known", caller !== undefined)
  document.body.classList.toggle("onlooker", caller?.admin === false)
  if (authProblem !== undefined || facts.has("Access tokens")) {
    fact("Access tokens", authProblem === undefined ? "can be checked" : clean(authProblem, 500))
  }
  if (tokenProblem !== undefined || facts.has("Tokens of clients")) {
    fact("Tokens of clients", tokenProblem === undefined ? "each has its own" : clean(tokenProblem, 500))
  }
  if (audit !== undefined) fact("Audit", auditText(audit))
  if (configProblem !== undefined || facts.has("Last save")) {
    fact(
      "Last save",
      configProblem === undefined ? "in force" : `not in force, or not as a whole: ${clean(configProblem, 500)}`
    )
  }
  fact("Version", clean(gateway.version, 40))
  if (gateway.pid !== undefined) fact("Process", String(gateway.pid))
  Replicas.update(last.status.replicas, now())
  ServerList.update(last.status, now())
}

const readEvents = async () => {
  const { events } = await Gateway.get("logs?limit=200")
  Events.showAll(events)
}

const feed = Feed.follow({
  status: (status) => {
    // Another version of the gateway has another page.
    if (last !== undefined && last.status.gateway.version !== status.gateway.version) return location.reload()
    last = { status, at: Date.now() }
    Announcer.update(status)
    // However many come, one is drawn in a frame, and none while nobody looks.
    if (!awaited) requestAnimationFrame(draw)
    awaited = true
    const away = Replicas.missing(status.replicas)
    const replicas = away === 0 ? "" : `${away} of ${status.replicas?.length} replicas not reached, `
    document.title = `${replicas}${ServerList.headline(status.servers)} – Lifeline`
  },
  event: (event) => {
    Events.add(event)
    ServerList.event(event)
  },
  live: () => {
    setLink("live", "Live")
    readEvents().catch(() => {})
  },
  lost: (problem) => {
    setLink("lost", "Not connected")
    const what = problem === undefined ? "The gateway does not answer." : `The gateway answers: ${problem}`
    const asOf = last === undefined ? "" : ` What you see is from ${time(last.at)}.`
    setText(byId("trouble-text"), `${what}${asOf} This page tries again by itself.`)
  },
  locked: (problem) => {
    const given = Gateway.hasToken()
    Gateway.setToken(undefined)
    setLink("locked", "Locked")
    setText(byId("token-problem"), given ? problem : "")
    byId("token").focus()
  },
  clock: (ahead) => {
    offset = ahead
  }
})

byId("retry").addEventListener("click", () => feed.wake())
addEventListener("online", () => feed.wake())
byId("sign-on").addEventListener("submit", (event) => {
  event.preventDefault()
  const input = /** @type {HTMLInputElement} */ (byId("token"))
  Gateway.setToken(input.value.trim())
  input.value = ""
  feed.wake()
})
byId("forget").addEventListener("click", () => {
  Gateway.setToken(undefined)
  location.reload()
})
setInterval(() => {
  // What stands on the page while the gateway does not answer stays as it was.
  if (document.hidden || last === undefined || !byId("trouble").hidden) return
  fact("Running for", longDuration(now() - last.status.gateway.startedAt))
  Replicas.update(last.status.replicas, now())
  ServerList.tick(now())
}, 1000)
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) feed.wake()
})
