/**
 * The clients of one door, in a process of their own: each makes one call after the other, in two rows, and says what becomes of each. Does
 * what its parent tells it.
 *
 *     node caller.mjs JOB (JSON; see `Job`)
 */
import { setTimeout as sleep } from "node:timers/promises"
import { connect, patience } from "./clients.mjs"
import * as measure from "./measure.mjs"
import { isNotSent, typeOf } from "./outcome.mjs"
import * as Plan from "./plan.mjs"

/** @typedef {import("./clients.mjs").Connected} Connected */
/**
 * @typedef {object} Job
 * @property {number} seed
 * @property {string} door
 * @property {number} incarnation how many processes were killed in this one's place
 * @property {Readonly<Record<string, { readonly speech: import("./doors.mjs").Speech, readonly servers: ReadonlyArray<string>, readonly target: import("./clients.mjs").Target }>>} clients
 * @property {boolean} replicas
 */
/**
 * What happened: a call was asked, was answered, failed or lost its client; a message arrived; a client has gone.
 *
 * @typedef {["asked", key: string, isCounted: boolean] | ["answered", key: string, text: string] | ["failed", key: string, type: string | null, message: string, isNotSent: boolean] | ["received", client: string, kind: string, key: string] | ["gone", client: string]} Entry
 */
/** @typedef {{ readonly what: "run" | "pause" | "prove" | "measure" | "close" } | { readonly what: "giveUp" | "cancel" | "leave", readonly client: string } | { readonly what: "plant", readonly plant: string } | { readonly what: "exit", readonly server: string, readonly point: string }} Order */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? "")

/** @type {Array<Entry>} */
let entries = []
const flush = () => {
  if (entries.length > 0) process.send?.({ entries })
  entries = []
}
setInterval(flush, 100).unref()

let [isRunning, isClosing] = [false, false]

/** Where the next call of a server makes it exit. @type {Map<string, string>} */
const exits = new Map()

/** How long a call is given before it is given up or cancelled, and how long it takes. */
const [short, long] = [200, 1500]

class Caller {
  /** @type {Connected | undefined} */
  #connected
  #name
  #client
  #from
  #number = 0
  #incarnation = 0
  /** What its next call does. @type {"giveUp" | "cancel" | undefined} */
  next
  /** Calls and connections under way. @type {Set<Promise<unknown>>} */
  #busy = new Set()
  /** Ends the calls of the client that is connected now, when it goes away. */
  #going = new AbortController()

  /** @param {string} name @param {Job["clients"][string]} client */
  constructor(name, client) {
    this.#name = name
    this.#client = client
    this.#from = Plan.random(job.seed, `${job.door} ${name} ${job.incarnation}`)
  }

  get id() {
    return `${job.door}/${this.#name}.${job.incarnation}.${this.#incarnation}`
  }

  /** Connects, for as long as it takes. */
  async connect() {
    const since = performance.now()
    for (;;) {
      const { id } = this
      try {
        this.#connected = await connect(
          this.#client.speech,
          this.#client.target,
          (data) => entries.push(["received", id, "log message", String(data)])
        )
        console.error(`${id} has connected after ${((performance.now() - since) / 1000).toFixed(1)} s`)
        return
      } catch (error) {
        if (isClosing) throw error
        console.error(`${id} does not connect: ${/** @type {Error} */ (error).message}`)
        await sleep(200)
      }
    }
  }

  /** Goes away without closing anything; another client comes in its place. Does nothing while that one connects. */
  async leave() {
    const { id } = this
    const left = this.#connected
    if (left === undefined) return
    this.#connected = undefined
    this.#incarnation++
    entries.push(["gone", id])
    left.leave()
    // Nothing tells it that its network has ended, so its calls would last until their timeouts.
    this.#going.abort()
    this.#going = new AbortController()
    await this.#track(this.connect())
  }

  /** @template A @param {Promise<A>} work @returns {Promise<A>} */
  async #track(work) {
    this.#busy.add(work)
    try {
      return await work
    } finally {
      this.#busy.delete(work)
    }
  }

  /** One call. @param {string} server @param {string} tool @param {Record<string, unknown>} more @returns {Promise<boolean>} whether it was answered */
  async #call(server, tool, more) {
    const connected = this.#connected
    if (connected === undefined) return false
    const { id } = this
    const isCurrent = () => this.#connected === connected
    const { next } = this
    this.next = undefined
    const key = `${id}#${++this.#number}`
    const args = tool === "echo" ? { message: key } : { key, ...more, ...(next === undefined ? {} : { millis: long }) }
    const cancelling = new AbortController()
    if (next === "cancel") setTimeout(() => cancelling.abort(), short)
    const since = performance.now()
    entries.push(["asked", key, tool === "work"])
    try {
      const answer = await connected.call(server, tool, args, {
        signal: AbortSignal.any([cancelling.signal, this.#going.signal]),
        timeout: next === "giveUp" ? short : undefined,
        onProgress: (message) => void entries.push(["received", id, "progress", message === "" ? key : message])
      })
      const text = String(answer.content?.[0]?.text ?? JSON.stringify(answer))
      // What has gone does not listen.
      if (!isCurrent()) return false
      if (answer.isError === true) throw new Error(`an error as a result: ${text}`)
      entries.push(["answered", key, tool === "echo" ? text.replace(/^Echo: /, "") : text])
      return true
    } catch (error) {
      if (!isCurrent()) return false
      const isLate = performance.now() - since > patience - 1000
      const call = { speech: this.#client.speech, isCancelled: next !== undefined, isLate, replicas: job.replicas }
      const { code, message, name } = /** @type {any} */ (error)
      entries.push([
        "failed",
        key,
        typeOf(error, call) ?? null,
        `${name} ${code ?? ""} ${message}`,
        isNotSent(error ?? {})
      ])
      return false
    }
  }

  /** @param {string} server */
  #any(server) {
    const tool = server.startsWith("every") ? "echo" : this.#from.integer(10) < 7 ? "work" : "read"
    const exit = tool === "work" ? exits.get(server) : undefined
    if (exit !== undefined) exits.delete(server)
    const millis = this.#from.integer(5) === 0 ? this.#from.integer(800) : 0
    return this.#call(server, tool, { millis, ...(exit === undefined ? {} : { exit }) })
  }

  async row() {
    while (!isClosing) {
      if (isRunning) await this.#track(this.#any(Plan.pick(this.#from, this.#client.servers)))
      await sleep(isRunning ? 50 + this.#from.integer(250) : 50)
    }
  }

  /** Waits until nothing is under way. */
  async settle() {
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy)
  }

  /** Calls each server until it answers. @returns {Promise<ReadonlyArray<string>>} those that do not */
  async prove() {
    const proved = await Promise.all(this.#client.servers.map(async (server) => {
      for (const until = performance.now() + 90_000; performance.now() < until; await sleep(200)) {
        if (await this.#track(this.#call(server, server.startsWith("every") ? "echo" : "read", {}))) return []
      }
      return [`${this.id} has no answer from ${server}`]
    }))
    return proved.flat()
  }

  /** Says what would be wrong, so that the soak is seen to notice it. @param {string} plant */
  async plant(plant) {
    const key = `${this.id}#planted`
    if (plant === "notSent") {
      entries.push(["asked", key, true])
      const server = this.#client.servers.find((name) => !name.startsWith("every")) ?? ""
      const options = { signal: new AbortController().signal, timeout: undefined, onProgress: () => {} }
      await this.#connected?.call(server, "work", { key }, options)
      entries.push(["failed", key, "planted", "planted", true])
    }
    if (plant === "crossed") entries.push(["received", this.id, "progress", `another#1`])
    if (plant !== "untyped") return
    const call = { speech: this.#client.speech, isCancelled: false, isLate: false, replicas: job.replicas }
    entries.push(["asked", key, false], ["failed", key, typeOf(new Error("planted"), call) ?? null, "planted", false])
  }

  async close() {
    await this.#connected?.close().catch(() => {})
  }
}

const callers = new Map(Object.entries(job.clients).map(([name, client]) => [name, new Caller(name, client)]))
const each = [...callers.values()]

/** Node opens it for who asks first, and keeps it open. */
void process.stderr

/** @param {Order} order @returns {Promise<unknown>} */
const obey = async (order) => {
  switch (order.what) {
    case "run":
      isRunning = true
      return
    case "pause":
      isRunning = false
      exits.clear()
      await Promise.all(each.map((one) => one.settle()))
      return
    case "prove":
      return (await Promise.all(each.map((one) => one.prove()))).flat()
    case "measure":
      // Idle sockets are kept for 4 s.
      return { resources: await measure.least(6000), heap: await measure.heap(), sockets: measure.sockets() }
    case "exit":
      exits.set(order.server, order.point)
      return
    case "leave":
      return callers.get(order.client)?.leave()
    case "giveUp":
    case "cancel": {
      const caller = callers.get(order.client)
      if (caller !== undefined) caller.next = order.what
      return
    }
    case "plant":
      return each[0]?.plant(order.plant)
    case "close":
      isClosing = true
      await Promise.all(each.map((one) => one.close()))
      return
  }
}

process.on("message", async (/** @type {Order & { readonly id: number }} */ order) => {
  const answer = await obey(order).catch((error) => ({ error: String(error) }))
  flush()
  process.send?.({ id: order.id, answer })
  if (order.what === "close") process.disconnect()
})
process.on("disconnect", () => isClosing ? undefined : process.exit(1))

await Promise.all(each.map((one) => one.connect()))
process.send?.({ ready: true })
await Promise.all(each.flatMap((one) => [one.row(), one.row()]))
