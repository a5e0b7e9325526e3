/** Follows the gateway: what it says comes in as it happens. With `fetch`, because an `EventSource` sends no token. */
import * as Gateway from "./Gateway.mjs"

/** The first and the longest pause between two attempts. */
const pauses = { least: 500, most: 3000 }

/** How long an answer may take, and how long a stream may be silent: the gateway sends something every 15 s. */
const patience = { answer: 5000, silence: 20_000 }

/** How much of one event is read before the stream is given up: the page's memory is bounded. */
const mostCharacters = 32 * 1024 * 1024

/** A field of an event; the gateway writes each in one line. @param {string} event @param {string} name */
const fieldOf = (event, name) => event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)

/** Fills in the histories that have not changed, which one stream does not send again. */
const completing = () => {
  /** @type {Map<string, import("./types.d.ts").Server["history"]>} */
  const histories = new Map()
  return (/** @type {import("./types.d.ts").StatusUpdate} */ { servers, ...rest }) => {
    for (const { history, name } of servers) if (history !== undefined) histories.set(name, history)
    return { ...rest, servers: servers.map((server) => ({ ...server, history: histories.get(server.name) ?? [] })) }
  }
}

/**
 * Takes what a stream says until it is silent: a gateway that hangs, or a machine that is gone, ends no connection.
 *
 * @typedef {object} Reader
 * @property {(status: import("./types.d.ts").Status, isFirst: boolean) => void} status the first of a stream, or another
 * @property {(event: import("./types.d.ts").GatewayEvent) => void} event
 * @property {(offset: number) => void} clock how far the gateway's clock is ahead of this one's, in milliseconds
 * @param {Reader} reader
 */
const read = async (reader) => {
  const stream = new AbortController()
  let timer = setTimeout(() => stream.abort(), patience.answer)
  try {
    const response = await Gateway.request("events", { signal: stream.signal })
    const ahead = Date.parse(response.headers.get("date") ?? "") - Date.now()
    // The header has whole seconds.
    reader.clock(Math.abs(ahead) > 2000 ? ahead : 0)
    const texts = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const complete = completing()
    let isFirst = true
    for (let rest = "";;) {
      clearTimeout(timer)
      timer = setTimeout(() => stream.abort(), patience.silence)
      const next = await texts?.read().catch((error) => {
        if (!stream.signal.aborted) throw error
      })
      if (stream.signal.aborted) return
      if (next === undefined || next.done) throw new Error("The gateway has ended the connection")
      const events = (rest + next.value).split("\n\n")
      rest = events.pop() ?? ""
      if (rest.length > mostCharacters) throw new Error("An event is too large")
      for (const event of events) {
        const [name, data = ""] = [fieldOf(event, "event"), fieldOf(event, "data")]
        if (name === "event") reader.event(JSON.parse(data))
        if (name !== "status") continue
        reader.status(complete(JSON.parse(data)), isFirst)
        isFirst = false
      }
    }
  } finally {
    clearTimeout(timer)
    stream.abort()
  }
}

/**
 * Follows the gateway for as long as the page is open. Gives what ends a pause: the next attempt is made then.
 *
 * @param {Reader} reader
 * @param {(problem: string, isLocked: boolean) => void} lost takes why it cannot be followed, as far as it has said so. It is tried again;
 *   where it asks for another token, only after the pause has been ended.
 */
export const follow = (reader, lost) => {
  let failures = 0
  /** @type {() => void} */
  let wake = () => {}
  const status = (/** @type {Parameters<Reader["status"]>} */ ...args) => {
    failures = 0
    reader.status(...args)
  }
  const run = async () => {
    for (;;) {
      await read({ ...reader, status }).catch((error) => {
        const isLocked = error instanceof Gateway.Locked
        lost(error instanceof Gateway.Refused ? error.message : "", isLocked)
        return new Promise((resolve) => {
          wake = () => resolve(undefined)
          if (!isLocked) setTimeout(wake, Math.min(pauses.most, pauses.least * 2 ** failures++))
        })
      })
    }
  }
  void run()
  return () => wake()
}
