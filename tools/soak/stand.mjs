/**
 * One door at work: its servers, its gateways where it has any, and its clients in a process of their own.
 */
import { fork } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { doorOf } from "./doors.mjs"
import * as Gateways from "./gateways.mjs"
import * as Plants from "./plant.mjs"
import * as Processes from "./processes.mjs"
import * as Servers from "./servers.mjs"
import { grown, together, unclosed } from "./verdict.mjs"

/** @typedef {import("./doors.mjs").DoorName} DoorName */
/** @typedef {import("./plan.mjs").Fault} Fault */
/** @typedef {import("./verdict.mjs").Held} Held */
/** @typedef {import("./verdict.mjs").Violation} Violation */
/** @typedef {import("./caller.mjs").Order} Order */
/** @typedef {{ readonly soak: string, readonly folder: string, readonly seed: number, readonly calls: import("./verdict.mjs").Calls, readonly stderr: number }} Soak */

const program = fileURLToPath(new URL("caller.mjs", import.meta.url))

/** How long calls, answers and ends may take; what takes longer hangs. */
const patience = 300_000

export class Stand {
  /** @param {Soak} soak @param {DoorName} name */
  constructor(soak, name) {
    this.name = name
    this.#soak = soak
    this.#place = { soak: soak.soak, door: name, folder: soak.folder }
  }

  #soak
  #place
  #incarnation = 0
  #lastOrder = 0
  /** @type {Awaited<ReturnType<typeof Servers.start>> | undefined} */
  #servers
  /** @type {import("./gateways.mjs").Gateways | undefined} */
  #gateways
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #caller
  #isClosing = false
  /** How many processes of Lifeline were killed or stopped for long, which cannot end their sessions. */
  killed = 0
  #isStarting = false
  #isRunning = false
  /** Resolves when the clients that were killed are back. @type {Promise<void> | undefined} */
  #returning
  /** Orders that have not been carried out. @type {Map<number, (answer: any) => void>} */
  #orders = new Map()
  /** @type {Map<string, Held>} */
  #before = new Map()
  /** What went wrong with the soak's own parts. @type {Array<Violation>} */
  violations = []

  get #door() {
    return doorOf(this.name)
  }

  /** @param {Violation["promise"]} promise @param {string} what */
  #violated(promise, what) {
    this.violations.push({ promise, door: this.name, what })
  }

  /** Resolves when everything is connected. */
  async start() {
    const isShared = this.#door.replicas !== undefined || this.name === "serve"
    const names = /** @type {Array<import("./doors.mjs").ServerName>} */ (Object.keys(this.#door.servers))
    this.#servers = await Servers.start(this.#place, names, isShared)
    const entries = Object.fromEntries([...this.#servers.servers].map(([name, { entry }]) => [name, entry]))
    this.#gateways = await Gateways.start(
      this.#place,
      this.#door.replicas === undefined ? this.name : "cluster",
      entries
    )
    await this.#call()
  }

  /** Starts the process of the clients, and resolves when they are connected. */
  async #call() {
    const entryOf = (/** @type {string} */ name) =>
      this.#servers?.servers.get(/** @type {any} */ (name))?.entry ?? { url: "" }
    /** @type {import("./caller.mjs").Job} */
    const job = {
      seed: this.#soak.seed,
      door: this.name,
      incarnation: this.#incarnation,
      replicas: this.#door.replicas !== undefined,
      clients: Object.fromEntries(
        Object.entries(this.#door.clients).map(([client, { servers, speech }]) => [client, {
          speech,
          servers,
          target: this.#gateways?.urls.length
            ? { urls: this.#gateways.urls }
            : speech === "facade"
            ? { entries: Object.fromEntries(servers.map((name) => [name, entryOf(name)])) }
            : Gateways.wrap(this.#place, servers[0] ?? "", entryOf(servers[0] ?? ""))
        }])
      )
    }
    const child = this.#caller = fork(program, [JSON.stringify(job)], {
      env: {
        ...process.env,
        ...Gateways.environment(this.#place),
        ...Processes.marked(this.#soak.soak, this.name, "callers")
      },
      stdio: ["ignore", this.#soak.stderr, this.#soak.stderr, "ipc"],
      execArgv: []
    })
    this.#isStarting = true
    await new Promise((resolve, reject) => {
      child.on("message", (/** @type {any} */ { answer, entries, id, ready }) => {
        if (ready === true) {
          this.#isStarting = false
          resolve(undefined)
        }
        for (const entry of entries ?? []) this.#take(entry)
        if (id === undefined) return
        this.#orders.get(id)?.(answer)
        this.#orders.delete(id)
      })
      child.once("exit", (code, signal) => {
        reject(new Error(`the clients of ${this.name} have ended (${code ?? signal}); see callers.log`))
        for (const done of this.#orders.values()) done(undefined)
        this.#orders.clear()
        if (child === this.#caller && !this.#isClosing) {
          this.#violated("ended", `the process of its clients has ended (${code ?? signal})`)
        }
      })
    })
  }

  /** @param {import("./caller.mjs").Entry} entry */
  #take(entry) {
    const { calls } = this.#soak
    switch (entry[0]) {
      case "asked":
        return calls.asked(this.name, entry[1], entry[2])
      case "answered":
        return calls.answered(entry[1], entry[2])
      case "failed":
        return calls.failed(entry[1], entry[2], entry[3], entry[4])
      case "received":
        return calls.received(this.name, entry[1], entry[2], entry[3])
      case "gone":
        return calls.clientGone(entry[1])
    }
  }

  /** @param {Order} order @returns {Promise<any>} */
  #tell(order) {
    const child = this.#caller
    if (child?.connected !== true) return Promise.resolve(undefined)
    const id = ++this.#lastOrder
    return new Promise((resolve) => {
      this.#orders.set(id, resolve)
      child.send({ ...order, id })
    })
  }

  /** @template A @param {string} what @param {Promise<A>} work @returns {Promise<A | undefined>} */
  async #inTime(what, work) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(() => {
        this.#violated("ended", `${what} has taken more than ${patience / 1000} s`)
        resolve(undefined)
      }, patience)
    })
    const done = await Promise.race([work, late])
    clearTimeout(timer)
    return /** @type {A | undefined} */ (done)
  }

  run() {
    this.#isRunning = true
    return this.#tell({ what: "run" })
  }

  /** Heals what lasts, and waits until every call has ended. */
  async pause() {
    this.#isRunning = false
    await this.#returning
    await Promise.all([...this.#servers?.servers.values() ?? []].map((server) => server.heal()))
    await this.#gateways?.heal()
    await this.#inTime("the end of all calls", this.#tell({ what: "pause" }))
  }

  /** @param {Fault} fault */
  async fail(fault) {
    const { kind, point, target } = fault
    if (this.#door.replicas?.includes(kind) === true) {
      if (kind !== "endReplica") this.killed++
      return this.#gateways?.fail(fault)
    }
    if (kind === "exit") return void this.#tell({ what: "exit", server: target, point })
    if (kind === "giveUp" || kind === "cancel") return void this.#tell({ what: kind, client: target })
    if (kind !== "leave") return this.#servers?.servers.get(/** @type {any} */ (target))?.fail(fault)
    if (this.name !== "connectAll") return void this.#tell({ what: "leave", client: target })
    // The process of a facade goes away with it, unless it is only starting.
    const before = this.#caller
    if (before?.connected !== true || this.#isStarting) return
    this.#caller = undefined
    this.killed++
    before.kill("SIGKILL")
    const again = this.#incarnation++
    for (const client of Object.keys(this.#door.clients)) {
      this.#soak.calls.clientGone(`${this.name}/${client}.${again}.0`)
    }
    this.#returning = this.#call()
    await this.#returning
    if (this.#isRunning) await this.run()
  }

  /** Breaks a promise on purpose. @param {string} plant */
  async plant(plant) {
    const entry = this.#servers?.servers.get("http25")?.entry
    const at = { ...this.#place, url: entry !== undefined && "url" in entry ? entry.url : "" }
    await /** @type {Record<string, (at: Plants.At) => unknown>} */ (Plants.plants)[plant]?.(at)
    await this.#tell({ what: "plant", plant })
  }

  /** Every server answers every client. */
  async prove() {
    for (const what of await this.#inTime("the proof", this.#tell({ what: "prove" })) ?? []) {
      this.#violated("back", what)
    }
  }

  /** What each process of Lifeline holds. @returns {Promise<Map<string, Held>>} */
  async #held() {
    /** @type {Map<string, Held>} */
    const held = new Map()
    // Of an official Client, it is nobody's business here.
    if (this.name === "connect") held.set("the facade", await this.#tell({ what: "measure" }))
    if (this.name === "connectAll") held.set(`the facade ${this.#incarnation}`, await this.#tell({ what: "measure" }))
    await Promise.all(
      Processes.withMark(this.#soak.soak, this.name).filter(({ args }) => args.includes(Gateways.probe)).map(
        async ({ args, pid }) => {
          const file = join(Gateways.heldFolder(this.#place), `${pid}.json`)
          Processes.signal(pid, "SIGUSR2")
          if (!await Processes.eventually(() => existsSync(file), 60_000)) return
          held.set(
            `process ${pid} (${args.slice(args.indexOf(Gateways.probe) + 2).join(" ").slice(0, 80)})`,
            JSON.parse(readFileSync(file, "utf8"))
          )
          rmSync(file)
        }
      )
    )
    // Servers and sessions move from one replica to another, and replicas come and go.
    return this.#door.replicas === undefined || held.size < 3
      ? held
      : new Map([["the replicas together", together([...held.values()])]])
  }

  async measureBefore() {
    this.#before = await this.#held()
  }

  /**
   * Processes that there were before. Idle connections stay open for up to 65 s, so what has grown is measured again until then.
   *
   * @returns {Promise<ReadonlyArray<{ who: string, before: Held, after: Held }>>}
   */
  async measureAfter() {
    for (const until = performance.now() + 90_000;;) {
      const held = await this.#held()
      const both = [...held].flatMap(([who, after]) => {
        const before = this.#before.get(who)
        return before === undefined ? [] : [{ who, before, after }]
      })
      const more = both.flatMap(({ after, before, who }) =>
        grown(this.name, who, before, after, this.#door.replicas === undefined ? 1 : 3)
      )
      if (more.length === 0 || performance.now() > until) {
        this.violations.push(...more)
        return both
      }
    }
  }

  /** Ends the clients, then the gateways, and looks at what is left of them. */
  async close() {
    this.#isClosing = true
    const child = this.#caller
    const exited = new Promise((resolve) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) resolve(undefined)
      else child.once("exit", resolve)
    })
    await this.#inTime("the close of its clients", this.#tell({ what: "close" }).then(() => exited))
    for (
      const what of await this.#inTime("the end of its gateways", this.#gateways?.end() ?? Promise.resolve([])) ?? []
    ) this.#violated("closed", what)
    const isOver = (/** @type {ReadonlyArray<string>} */ args) =>
      !args.some((arg) => arg.endsWith("httpServers.mjs")) && args[2] !== "streamableHttp"
    const left = () => Processes.withMark(this.#soak.soak, this.name).filter(({ args }) => isOver(args))
    await Processes.eventually(() => left().length === 0, 30_000)
    for (const { args, pid } of left()) {
      this.#violated("closed", `process ${pid} is left: ${args.join(" ").slice(0, 200)}`)
    }
    for (const server of this.#servers?.servers.values() ?? []) {
      const openings = await server.openings()
      const excusing = openings.map((one) =>
        one.what.startsWith("sessions") ? { ...one, excused: one.excused + this.killed } : one
      )
      this.violations.push(...unclosed(this.name, excusing))
    }
  }

  /** The effects that its servers have counted. @returns {ReadonlyArray<string>} */
  effects() {
    return Servers.effects(this.#place, Object.keys(this.#door.servers))
  }

  /** Ends whatever still runs. */
  async stop() {
    await this.#servers?.stop()
    await this.#gateways?.stop()
    for (const { pid } of Processes.withMark(this.#soak.soak, this.name)) Processes.signal(pid, "SIGKILL")
  }
}
