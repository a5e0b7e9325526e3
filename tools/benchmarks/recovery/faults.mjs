/**
 * What can happen to a server, its network and its sessions. Times are in milliseconds.
 */

/** @typedef {import("./stand.mjs").Stand} Stand */
/**
 * @typedef {object} Fault
 * @property {string} what
 * @property {ReadonlyArray<"stdio" | "http">} transports
 * @property {(stand: Stand) => Promise<void>} begin resolves when the fault is in force
 * @property {ReadonlyArray<object>} [crashes] of the server over stdio, as `StdioFaultServer` takes them
 * @property {"http"} [proxied] a proxy stands before the server
 * @property {"http"} [successor] a second process of the server waits until the first has ended
 * @property {number} [idle] how long the client is left alone with the fault; its time begins afterwards
 * @property {number} [calls] how many calls follow the first good one. Default 5
 * @property {boolean} [sessions] it is about sessions, which 2026-07-28 has not
 * @property {boolean} [atStart] the fault is there before the client connects
 */

/** How long nothing listens between two processes of a server over HTTP. */
const gap = 1000
/** How long the network is gone, a server over HTTP stands still, and one that has just started is silent. */
const [gone, still, silent] = [5000, 8000, 4000]
/** After how long without a request a session ends. */
const ttl = 2000

/** The server is called once before the fault: the next call is the one in which it ends. @type {ReadonlyArray<object>} */
const inSecondCall = [{ at: "call", nth: 2, point: "applied", signal: "SIGKILL" }]

/** @param {() => unknown} act @param {number} millis */
const later = (act, millis) => void setTimeout(act, millis)

/** @satisfies {Readonly<Record<string, Fault>>} */
export const faults = {
  "crash-idle": {
    what: `the server is killed with SIGKILL between two calls; over HTTP, another listens ${gap / 1000} s later`,
    transports: ["stdio", "http"],
    successor: "http",
    begin: async (stand) => {
      stand.signal("SIGKILL")
      later(() => stand.succeed(), gap)
    }
  },
  "crash-in-call": {
    what: `the server is killed in a call, after the tool has run; over HTTP, another listens ${gap / 1000} s later`,
    transports: ["stdio", "http"],
    crashes: inSecondCall,
    successor: "http",
    begin: async (stand) => {
      await stand.order({ what: "crashInCall" })
      stand.ended(() => later(() => stand.succeed(), gap))
    }
  },
  "wedged": {
    what: `the server is stopped with SIGSTOP, and nobody but the caller has a timeout; over HTTP, it goes on after ${
      still / 1000
    } s`,
    transports: ["stdio", "http"],
    begin: async (stand) => {
      stand.signal("SIGSTOP")
      if (stand.transport === "http") later(() => stand.signal("SIGCONT"), still)
    }
  },
  "restarted": {
    what: "the server is ended and started on the same port while nobody calls; the time is that of the first caller",
    transports: ["http"],
    successor: "http",
    idle: 3000,
    begin: async (stand) => {
      stand.signal("SIGTERM")
      later(() => stand.succeed(), gap)
    }
  },
  "session-404": {
    what: "the server loses its sessions once, and answers 404, as the specification says",
    sessions: true,
    transports: ["http"],
    begin: (stand) => stand.order({ what: "forget", status: 404 })
  },
  "session-400": {
    what: "the server loses its sessions once, and answers 400, as the official examples do",
    sessions: true,
    transports: ["http"],
    begin: (stand) => stand.order({ what: "forget", status: 400 })
  },
  "session-each": {
    what: "the server loses its sessions before every one of ten calls, and answers 404",
    sessions: true,
    transports: ["http"],
    calls: 9,
    begin: (stand) => stand.order({ what: "forgetEach", status: 404 })
  },
  "network-gone": {
    what: `connections are cut, and refused for ${gone / 1000} s`,
    transports: ["http"],
    proxied: "http",
    begin: async ({ network }) => {
      await network?.refuse()
      network?.cut()
      later(() => network?.accept(), gone)
    }
  },
  "idle-expiry": {
    what: `sessions end after ${
      ttl / 1000
    } s without a request (scaled down: servers give them minutes), and the client idles for 5 s; the time is that of the first call afterwards`,
    sessions: true,
    transports: ["http"],
    idle: 5000,
    begin: (stand) => stand.order({ what: "expire", millis: ttl })
  },
  "black-hole": {
    what: `the network swallows everything for ${gone / 1000} s, and connections that were made until then for ever`,
    transports: ["http"],
    proxied: "http",
    begin: async ({ network }) => {
      if (network === undefined) return
      let first = Number.POSITIVE_INFINITY
      network.treat = ({ connection }) => connection < first ? "lose" : "pass"
      later(() => {
        first = network.made
      }, gone)
    }
  },
  "cut-stream": {
    what: "a connection is cut after the tool has run, before its answer",
    transports: ["http"],
    begin: (stand) => stand.order({ what: "cut" })
  },
  "hung-start": {
    what:
      `the first process of a server over stdio never answers; over HTTP, the server answers nothing that it is asked in its first ${
        silent / 1000
      } s; the time begins when the client connects`,
    transports: ["stdio", "http"],
    crashes: [{ at: "start", nth: 1, signal: "SIGSTOP" }],
    atStart: true,
    begin: (stand) => stand.order({ what: "silence", millis: silent })
  }
}

/** @typedef {keyof typeof faults} FaultName */

export const faultNames = /** @type {Array<FaultName>} */ (Object.keys(faults))

/** @param {FaultName} name @returns {Fault} */
export const faultOf = (name) => faults[name]
