/**
 * Follows the gateway: what it says comes in as it happens, and is asked for again whenever it stops coming.
 */
import * as EventStream from "./eventStream.mjs"
import * as Gateway from "./Gateway.mjs"

/** @typedef {import("./types.d.ts").Status} Status */
/** @typedef {import("./types.d.ts").GatewayEvent} GatewayEvent */

/**
 * Takes what the feed has to say.
 *
 * @typedef {object} Reader
 * @property {(status: Status) => void} status
 * @property {(event: GatewayEvent) => void} event
 * @property {() => void} live A status has come on a new stream.
 * @property {(problem: string | undefined) => void} lost The gateway cannot be followed, and may have said why; it is tried again.
 * @property {(problem: string) => void} locked Nothing more is asked before there is another token: call `wake`.
 * @property {(offset: number) => void} clock How far the gateway's clock is ahead of this one's, in milliseconds.
 */

/** The first and the longest pause between two attempts. */
const pauses = { least: 500, most: 3000 }

/** The gateway sends something every 15 s: after this long without a byte we ask whether the gateway still answers, and this long it may take. */
const silence = { most: 20_000, answer: 5000 }

/** Fills in the histories that have not changed, which one stream does not send again. */
const completing = () => {
  /** @type {Map<string, import("./types.d.ts").ServerStatus["history"]>} */
  const histories = new Map()
  return (/** @type {import("./types.d.ts").StatusUpdate} */ { servers, ...rest }) => {
    for (const { history, name } of servers) if (history !== undefined) histories.set(name, history)
    return { ...rest, servers: servers.map((server) => ({ ...server, history: histories.get(server.name) ?? [] })) }
  }
}

/** Follows the gateway for as long as the page is open. @param {Reader} reader */
export const follow = (reader) => {
  let wake = () => {}
  let failures = 0
  let lastBytes = 0
  /** @type {AbortController | undefined} */
  let current

  /** @param {number} [longest] */
  const sleep = (longest) => /** @type {Promise<void>} */ (new Promise((resolve) => {
    const timer = longest === undefined ? undefined : setTimeout(resolve, longest)
    wake = () => {
      clearTimeout(timer)
      resolve()
    }
  }))

  const once = async () => {
    const controller = current = new AbortController()
    const response = await Gateway.request("events", { signal: controller.signal })
    if (response.body === null) throw new Error("The answer is empty")
    const date = Date.parse(response.headers.get("date") ?? "")
    // The header has whole seconds.
    reader.clock(Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0)
    lastBytes = Date.now()
    let first = true
    const complete = completing()
    const events = EventStream.read(response.body, () => {
      lastBytes = Date.now()
    })
    for await (const { data, event } of events) {
      if (event === "status") {
        reader.status(complete(JSON.parse(data)))
        if (first) reader.live()
        first = false
        failures = 0
      } else if (event === "event") reader.event(JSON.parse(data))
    }
    throw new Error("The gateway has ended the connection")
  }

  /** A gateway that hangs, or a machine that is gone, ends no connection. */
  const checkSilence = async () => {
    const controller = current
    if (controller === undefined || Date.now() - lastBytes < silence.most) return
    lastBytes = Date.now()
    await Gateway.request("status", { signal: AbortSignal.timeout(silence.answer) }).catch((error) => {
      if (!(error instanceof Gateway.Locked)) controller.abort(new Error("The gateway does not answer"))
    })
  }
  setInterval(checkSilence, 1000)

  const run = async () => {
    for (;;) {
      try {
        await once()
      } catch (error) {
        current?.abort()
        current = undefined
        if (error instanceof Gateway.Locked) {
          reader.locked(error.message)
          await sleep()
        } else {
          reader.lost(error instanceof Gateway.Refused ? error.message : undefined)
          await sleep(Math.min(pauses.most, pauses.least * 2 ** failures++))
        }
      }
    }
  }
  void run()
  return {
    /** Ends a pause: the next attempt is made now. */
    wake: () => wake()
  }
}
