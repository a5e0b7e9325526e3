/** The status page: what the gateway says, as it says it. */
import { h, render } from "preact"
import * as Announcer from "./Announcer.mjs"
import * as Feed from "./Feed.mjs"
import * as Gateway from "./Gateway.mjs"
import { missing, Page } from "./Page.mjs"
import { headline } from "./ServerList.mjs"

/** How many events are kept. */
const most = 200

/** @type {import("./Page.mjs").State} */
let state = { link: "connecting", problem: "", status: undefined, at: 0, now: 0, events: [], announcement: "" }
/** Whether a frame is awaited that draws it. */
let awaited = false
/** How far the gateway's clock is ahead of ours. */
let offset = 0

const draw = () => {
  awaited = false
  render(h(Page, { ...state, wake: () => wake() }), document.body)
}

/** However much changes, it is drawn once in a frame, and not while nobody looks. @param {Partial<typeof state>} part */
const change = (part) => {
  state = { ...state, ...part }
  if (!awaited) requestAnimationFrame(draw)
  awaited = true
}

const announce = Announcer.make((announcement) => change({ announcement }))

const wake = Feed.follow(
  {
    status: (status, isFirst) => {
      // Another version of the gateway has another page.
      if (state.status !== undefined && state.status.gateway.version !== status.gateway.version) {
        return location.reload()
      }
      change({ link: "live", status, at: Date.now(), now: Date.now() + offset })
      announce(status.servers)
      const away = missing(status.replicas)
      const replicas = away === 0 ? "" : `${away} of ${status.replicas?.length} replicas not reached, `
      document.title = `${replicas}${headline(status.servers)} – Lifeline`
      if (!isFirst) return
      Gateway.get(`logs?limit=${most}`).then(({ events }) => change({ events: events.toReversed() }), () => {})
    },
    event: (event) => change({ events: [event, ...state.events].slice(0, most) }),
    clock: (ahead) => {
      offset = ahead
    }
  },
  (problem, isLocked) => {
    if (!isLocked) return change({ link: "lost", problem })
    change({ link: "locked", problem: Gateway.hasToken() ? problem : "" })
    Gateway.setToken(undefined)
  }
)

draw()
setInterval(() => {
  // What stands on the page while the gateway does not answer stays as it was.
  if (!document.hidden && state.link === "live") change({ now: Date.now() + offset })
}, 1000)
addEventListener("online", wake)
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake()
})
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  document.getElementById("filter")?.focus()
})
