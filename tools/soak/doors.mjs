/**
 * The doors of Lifeline that a soak knows: which servers stand behind each, who uses it, and what can go wrong at each of them.
 */

/** What can go wrong with a server over stdio. */
const stdio = /** @type {const} */ (["kill", "stop", "exit"])
/** What can go wrong with a server over HTTP of our own, and with the network before it. */
const network = /** @type {const} */ (["restart", "blackHole", "cut", "lostAnswer", "unavailable"])
const sessions = /** @type {const} */ (["forget", ...network])
/** What a client can do. */
const caller = /** @type {const} */ (["giveUp", "cancel"])
const leaving = /** @type {const} */ ([...caller, "leave"])

/**
 * @typedef {"kill" | "stop" | "exit" | "forget" | "restart" | "blackHole" | "cut" | "lostAnswer" | "unavailable" | "giveUp" | "cancel" |
 *   "leave" | "killReplica" | "endReplica" | "stopReplica"} Kind
 */
/**
 * `stdio25` and `stdio26` are servers over stdio of both eras, `http25` and `http26` over HTTP; `own25` runs once for each client;
 * `every` and `everyHttp` are `@modelcontextprotocol/server-everything`.
 *
 * @typedef {"stdio25" | "stdio26" | "http25" | "http26" | "own25" | "every" | "everyHttp"} ServerName
 */
/**
 * How a client speaks: the facade; the official Client v1 or v2, the latter in the era that the gateway offers first or in that of 2025;
 * or plain `fetch` in one era.
 *
 * @typedef {"facade" | "v1" | "v2" | "v2-2025" | "fetch25" | "fetch26"} Speech
 */
/** @typedef {{ readonly speech: Speech, readonly servers: ReadonlyArray<ServerName>, readonly faults: ReadonlyArray<Kind> }} Client */
/**
 * @typedef {object} Door
 * @property {string} what
 * @property {Readonly<Partial<Record<ServerName, ReadonlyArray<Kind>>>>} servers
 * @property {Readonly<Record<string, Client>>} clients
 * @property {ReadonlyArray<Kind>} [replicas]
 */

const ours = /** @type {const} */ ({ stdio25: stdio, stdio26: stdio, http25: sessions, http26: network })
const all = /** @type {const} */ ({ ...ours, every: ["kill", "stop"], everyHttp: ["kill", "stop"] })
const names = /** @type {Array<keyof typeof all>} */ (Object.keys(all))

/** One client of `speech` for each server, named after it. @param {Speech} speech @param {ReadonlyArray<ServerName>} servers @param {ReadonlyArray<Kind>} faults */
const one = (speech, servers, faults) =>
  Object.fromEntries(servers.map((name) => [name, { speech, servers: [name], faults }]))

const served = /** @type {const} */ (["stdio25", "stdio26", "http25", "http26", "own25"])

/** @satisfies {Readonly<Record<string, Door>>} */
export const doors = {
  connect: {
    what: "connect, a supervised client for each server",
    servers: all,
    clients: one("facade", names, caller)
  },
  connectAll: {
    what: "connectAll, one fleet; its process is killed, too",
    servers: ours,
    clients: { fleet: { speech: "facade", servers: ["stdio25", "stdio26", "http25", "http26"], faults: leaving } }
  },
  wrap: {
    what: "wrap, with official Clients as hosts",
    servers: all,
    clients: {
      ...one("v1", ["stdio25", "http26", "every"], leaving),
      ...one("v2", ["stdio26", "http25", "everyHttp"], leaving)
    }
  },
  serve: {
    what: "serve, with official Clients and plain fetch",
    servers: { ...ours, own25: stdio, every: ["kill", "stop"], everyHttp: ["kill", "stop"] },
    clients: {
      first: { speech: "v1", servers: [...served, "every"], faults: leaving },
      second: { speech: "v2", servers: ["stdio25", "stdio26", "http25", "http26", "everyHttp"], faults: leaving },
      third: { speech: "v2-2025", servers: served, faults: leaving },
      fourth: { speech: "fetch25", servers: served, faults: leaving },
      fifth: { speech: "fetch26", servers: ["stdio25", "stdio26", "http25", "http26"], faults: leaving }
    }
  },
  cluster: {
    what: "serve --cluster, three replicas over PostgreSQL behind a load balancer",
    servers: { stdio25: stdio, stdio26: stdio, http25: sessions },
    replicas: ["killReplica", "endReplica", "stopReplica"],
    clients: {
      first: { speech: "v1", servers: ["stdio25", "stdio26", "http25"], faults: caller },
      second: { speech: "fetch25", servers: ["stdio25", "stdio26", "http25"], faults: caller },
      third: { speech: "fetch26", servers: ["stdio25", "stdio26", "http25"], faults: caller }
    }
  }
}

/** @typedef {keyof typeof doors} DoorName */

export const doorNames = /** @type {Array<DoorName>} */ (Object.keys(doors))

/** @param {DoorName} name @returns {Door} */
export const doorOf = (name) => doors[name]
