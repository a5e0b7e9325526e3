/**
 * What a soak has promised, and whether it was kept. Nothing here acts: calls, effects and what was left come in, and violations go out.
 */

/** @typedef {{ readonly promise: keyof typeof promises, readonly door: string, readonly what: string }} Violation */

/** What is promised, by the names that violations have. */
export const promises = {
  ended: "every call is answered or ends with a typed error",
  twice: "no effect happens twice, and none is missing that was answered",
  notSent: "what is reported as not sent was never carried out",
  crossed: "no message of one client arrives at another",
  closed: "everything that was opened is closed: processes, sockets, sessions",
  left: "no file is left",
  grown: "heap and handles come back",
  back: "every server answers again at the end"
}

/** How much of what went wrong is told of one promise at one door. */
const most = 20

/**
 * @typedef {object} Asked
 * @property {string} door
 * @property {boolean} isCounted whether the server counts its effects
 * @property {"asked" | "answered" | "failed" | "gone"} state
 * @property {boolean} [isNotSent] whether its error says so
 */

/** What became of each call. Keys are `<client>#<number>`, so that each says whose it is. */
export class Calls {
  /** @type {Map<string, Asked>} */
  #calls = new Map()
  /** @type {Array<Violation>} */
  #violations = []
  /** @type {Set<string>} */
  #gone = new Set()
  /** When the calls that have not ended were made, by their keys. @type {Map<string, number>} */
  #open = new Map()
  /** How often each kind of error came, by door. @type {Map<string, number>} */
  errors = new Map()
  counts = { calls: 0, answered: 0, failed: 0, gone: 0 }
  /** The call that took longest, by door. @type {Record<string, { key: string, seconds: number, state: string }>} */
  slowest = {}
  /** How many other messages came, by their kind. @type {Record<string, number>} */
  messages = {}

  /** @param {Violation} violation */
  #add(violation) {
    this.#violations.push(violation)
  }

  /** @param {string} door @param {string} key @param {boolean} isCounted */
  asked(door, key, isCounted) {
    this.counts.calls++
    if (this.#calls.has(key)) this.#add({ promise: "ended", door, what: `${key} was asked twice by the soak itself` })
    this.#open.set(key, performance.now())
    this.#calls.set(key, { door, isCounted, state: "asked" })
  }

  /** @param {string} key @param {"answered" | "failed" | "gone"} state @returns {Asked | undefined} */
  #end(key, state) {
    const call = this.#calls.get(key)
    if (call === undefined || call.state !== "asked") {
      this.#add({
        promise: "ended",
        door: call?.door ?? "",
        what: `${key} ended as ${state}, and was ${call?.state ?? "never asked"}`
      })
      return undefined
    }
    call.state = state
    const seconds = (performance.now() - (this.#open.get(key) ?? 0)) / 1000
    if (seconds > (this.slowest[call.door]?.seconds ?? 0)) this.slowest[call.door] = { key, seconds, state }
    this.#open.delete(key)
    this.counts[state]++
    return call
  }

  /** @param {string} key @param {string} text what the answer said; the key of the call, if it is its own */
  answered(key, text) {
    const call = this.#end(key, "answered")
    if (call !== undefined && text !== key) {
      this.#add({
        promise: "crossed",
        door: call.door,
        what: `the call ${key} was answered with ${JSON.stringify(text.slice(0, 200))}`
      })
    }
  }

  /** @param {string} key @param {string | null} type its error's, if it has one @param {string} message @param {boolean} [isNotSent] whether it says so */
  failed(key, type, message, isNotSent = false) {
    const call = this.#end(key, "failed")
    if (call === undefined) return
    call.isNotSent = isNotSent
    const kind = `${call.door}: ${type ?? "untyped"}`
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1)
    if (type === null) {
      this.#add({ promise: "ended", door: call.door, what: `the call ${key} failed without a typed error: ${message}` })
    }
  }

  /** Its client has gone, so that nobody waits for it. @param {string} key */
  gone(key) {
    this.#end(key, "gone")
  }

  /** All calls of a client that has gone. @param {string} client */
  clientGone(client) {
    this.#gone.add(client)
    for (const key of this.open) if (clientOf(key) === client) this.gone(key)
  }

  /** A message that is no answer has arrived at a client. @param {string} door @param {string} client @param {string} kind @param {string} key */
  received(door, client, kind, key) {
    const isKey = key.includes("#")
    // Lifeline says itself what a call waits for, in words that are no key.
    const counted = isKey ? kind : `${kind} of Lifeline`
    this.messages[counted] = (this.messages[counted] ?? 0) + 1
    if (isKey && clientOf(key) !== client) {
      this.#add({ promise: "crossed", door, what: `${client} got the ${kind} ${JSON.stringify(key.slice(0, 200))}` })
    }
  }

  /** Calls that have not ended. */
  get open() {
    return [...this.#open.keys()]
  }

  /**
   * What is wrong with the calls, once all had time to end.
   *
   * @param {ReadonlyMap<string, number>} effects how often each key had an effect
   * @returns {ReadonlyArray<Violation>}
   */
  violations(effects) {
    /** @type {Array<Violation>} */
    const found = [...this.#violations]
    for (const [key, { door, isCounted, state }] of this.#calls) {
      if (state === "asked") found.push({ promise: "ended", door, what: `the call ${key} has not ended` })
      if (isCounted && state === "answered" && !effects.has(key)) {
        found.push({ promise: "twice", door, what: `${key} was answered, and had no effect` })
      }
    }
    for (const [key, times] of effects) {
      const { door = "", isNotSent = false } = this.#calls.get(key) ?? {}
      if (isNotSent) {
        found.push({ promise: "notSent", door, what: `${key} was reported as not sent, but had its effect` })
      }
      if (times > 1) found.push({ promise: "twice", door, what: `${key} had its effect ${times} times` })
      // A process that is killed may not have said what it asked for last.
      if (!this.#calls.has(key) && !this.#gone.has(clientOf(key))) {
        found.push({ promise: "twice", door, what: `nobody has asked for the effect ${key}` })
      }
    }
    return found
  }
}

/** @param {string} key */
export const clientOf = (key) => key.slice(0, key.lastIndexOf("#"))

/**
 * What a door's servers opened and what of it was closed. `excused`: sessions that a fault kept from being closed, since the network was
 * away when their ends were sent.
 *
 * @typedef {{ readonly what: string, readonly opened: number, readonly closed: number, readonly excused: number }} Openings
 */

/** @param {string} door @param {ReadonlyArray<Openings>} all @returns {ReadonlyArray<Violation>} */
export const unclosed = (door, all) =>
  all.flatMap(({ closed, excused, opened, what }) =>
    opened - closed > excused || closed > opened
      ? [{ promise: /** @type {const} */ ("closed"), door, what: `${what}: ${opened} opened, ${closed} closed` }]
      : []
  )

/** @param {string} door @param {ReadonlyArray<string>} files @returns {ReadonlyArray<Violation>} */
export const leftFiles = (door, files) => files.map((what) => ({ promise: /** @type {const} */ ("left"), door, what }))

/** @typedef {Readonly<Record<string, number>>} Counts */

/**
 * What a process of Lifeline holds while nothing happens. `sockets`: to and from which ports, to find what has grown.
 *
 * @typedef {{ readonly heap: number, readonly resources: Counts, readonly sockets?: Counts }} Held
 */

/** By which part the heap may grow, and how many bytes besides, for what is compiled late and what is kept for a status page. */
const [part, bytes] = [0.1, 6 * 2 ** 20]

/** Which handles have to come back, and by how many they may differ. */
const handles = { descriptors: 6, TCPSocketWrap: 4, PipeWrap: 2, Timeout: 12, listeners: 1 }
/** What a child process takes: clients that have gone away keep servers of their own for a while. @type {Readonly<Record<string, number>>} */
const ofChild = { descriptors: 3, PipeWrap: 3, Timeout: 2 }
/** What the session and the lists of such a server take, in bytes. */
const heapOfChild = 256 * 2 ** 10

/** Where most of the sockets lead to, if these are meant. @param {string} kind @param {Held} held */
const ends = (kind, { sockets = {} }) => {
  if (kind !== "TCPSocketWrap") return ""
  const most = Object.entries(sockets).toSorted(([, a], [, b]) => b - a).slice(0, 6)
  return `; sockets: ${most.map(([end, count]) => `${count} ${end}`).join(", ")}`
}

/**
 * @param {string} door
 * @param {string} who
 * @param {Held} before
 * @param {Held} after
 * @param {number} [processes] how many they are together
 * @returns {ReadonlyArray<Violation>}
 */
export const grown = (door, who, before, after, processes = 1) => {
  const more = (/** @type {string} */ kind) => (after.resources[kind] ?? 0) - (before.resources[kind] ?? 0)
  const children = more("ProcessWrap")
  /** @param {string} what @returns {Violation} */
  const violation = (what) => ({ promise: "grown", door, what: `${who}: ${what}` })
  const held = Object.entries(handles).flatMap(([kind, most]) =>
    more(kind) - children * (ofChild[kind] ?? 0) > most * processes
      ? [violation(`${kind} ${before.resources[kind] ?? 0} -> ${after.resources[kind]}${ends(kind, after)}`)]
      : []
  )
  return after.heap > before.heap * (1 + part) + bytes * processes + Math.max(0, children) * heapOfChild
    ? [...held, violation(`heap ${before.heap} -> ${after.heap} bytes`)]
    : held
}

/** @param {ReadonlyArray<Counts>} all @returns {Counts} */
const sum = (all) => {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const one of all) for (const [name, count] of Object.entries(one)) counts[name] = (counts[name] ?? 0) + count
  return counts
}

/** Several processes as one. @param {ReadonlyArray<Held>} all @returns {Held} */
export const together = (all) => ({
  heap: all.reduce((bytes, { heap }) => bytes + heap, 0),
  resources: sum(all.map(({ resources }) => resources)),
  sockets: sum(all.map(({ sockets }) => sockets ?? {}))
})

/** What is told of violations: not all of many of the same kind. @param {ReadonlyArray<Violation>} violations @returns {Array<string>} */
export const told = (violations) => {
  /** @type {Map<string, Array<string>>} */
  const groups = new Map()
  for (const { door, promise, what } of violations) {
    const name = `${door === "" ? "" : `${door}: `}not kept: ${promises[promise]}`
    groups.set(name, [...groups.get(name) ?? [], what])
  }
  return [...groups].flatMap(([name, lines]) => [
    name,
    ...lines.slice(0, most).map((line) => `  ${line}`),
    ...lines.length > most ? [`  and ${lines.length - most} more`] : []
  ])
}
