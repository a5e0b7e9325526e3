/** What this process holds, for `tools/vitest/holdings.ts`. What has a class is noted by methods wrapped once a process. */
import { Effect } from "effect"
import { readdirSync, readlinkSync } from "node:fs"
import { Hub } from "../../../core/src/internal/Hub.js"
import { Runtime } from "../../../core/src/runtime/Runtime.js"
import { EventBudget } from "../../../http-server/src/EventBudget.js"
import { Holding } from "../../../protocol/src/Quota.js"
import { Shares } from "../../../protocol/src/Shares.js"

const kinds = [
  "connections",
  /** Connections with requests in flight. */
  "leases",
  "listeners",
  "quotas",
  "shares",
  "events",
  "child processes",
  "servers",
  "watchers of files",
  "timers",
  "open files",
  "listeners of the process"
  // Sockets are not counted: Node keeps those of `fetch` for later requests, as long as the server lets it.
] as const

export type Kind = typeof kinds[number]

/** What is held, by kind: each thing itself, or as many equal words as there are things that are not known apart. */
export type Held = Readonly<Partial<Record<Kind, ReadonlyArray<unknown>>>>

class Noted {
  readonly #runtimes = new Set<Runtime>()
  readonly #leases = new Set<Runtime>()
  readonly #hubs = new Map<Hub<unknown>, Set<object>>()
  readonly #holdings = new Set<Holding>()
  readonly #shares = new Set<Shares>()
  readonly #budgets = new Set<EventBudget>()

  constructor() {
    this.#noteRuntimes()
    this.#noteHubs()
    const after = <A extends object>(
      of: { readonly prototype: A },
      methods: ReadonlyArray<keyof A>,
      held: Set<A>,
      holds: (one: A) => boolean
    ): void => {
      for (const method of methods) {
        const original = of.prototype[method] as (...args: ReadonlyArray<unknown>) => unknown
        Object.assign(of.prototype, {
          [method](this: A, ...args: ReadonlyArray<unknown>) {
            try {
              return Reflect.apply(original, this, args)
            } finally {
              if (holds(this)) held.add(this)
              else held.delete(this)
            }
          }
        })
      }
    }
    after(Runtime, ["begin", "end", "handOver"], this.#leases, ({ latest }) => latest.traffic.inFlight !== 0)
    after(Holding, ["take", "release", "close"], this.#holdings, ({ held }) => held.count !== 0 || held.bytes !== 0)
    after(Shares, ["take", "release"], this.#shares, ({ total }) => total !== 0)
    after(EventBudget, ["set"], this.#budgets, ({ bytes }) => bytes !== 0)
  }

  #noteRuntimes(): void {
    const runtimes = this.#runtimes
    const { make } = Runtime
    Runtime.make = (...given) => Effect.tap(make(...given), (runtime) => Effect.sync(() => runtimes.add(runtime)))
    const close = Object.getOwnPropertyDescriptor(Runtime.prototype, "closeConnection")?.get as () => Effect.Effect<
      void
    >
    Object.defineProperty(Runtime.prototype, "closeConnection", {
      configurable: true,
      get(this: Runtime) {
        return Effect.ensuring(Reflect.apply(close, this, []), Effect.sync(() => runtimes.delete(this)))
      }
    })
  }

  #noteHubs(): void {
    const hubs = this.#hubs
    const { end, listen } = Hub.prototype
    const forget = (hub: Hub<unknown>, one: object): void => {
      const all = hubs.get(hub)
      all?.delete(one)
      if (all?.size === 0) hubs.delete(hub)
    }
    Hub.prototype.listen = function(this: Hub<unknown>, onValue, onEnd) {
      const one = {}
      hubs.set(this, (hubs.get(this) ?? new Set()).add(one))
      const stop = Reflect.apply(listen, this, [onValue, () => {
        forget(this, one)
        onEnd?.()
      }]) as () => void
      return () => {
        forget(this, one)
        stop()
      }
    }
    Hub.prototype.end = function(this: Hub<unknown>) {
      Reflect.apply(end, this, [])
      hubs.delete(this)
    }
  }

  forget(some: ReadonlyArray<Kind>): void {
    if (some.includes("connections")) this.#runtimes.clear()
    if (some.includes("leases")) this.#leases.clear()
    if (some.includes("listeners")) this.#hubs.clear()
  }

  get held(): Held {
    return {
      connections: [...this.#runtimes],
      // The last one may have ended on the connection that took them over.
      leases: [...this.#leases].filter(({ latest }) => latest.traffic.inFlight !== 0),
      listeners: [...this.#hubs.values()].flatMap((all) => [...all]),
      quotas: [...this.#holdings],
      shares: [...this.#shares],
      events: [...this.#budgets]
    }
  }
}

/** The files that are open, as far as a system tells. Those of the system itself are read again and again. */
const openFiles = (): ReadonlyArray<string> => {
  if (process.platform !== "linux") return []
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`)
      return /^\/(?!dev\/|proc\/|sys\/|memfd:)/.test(path) ? [path] : []
    } catch {
      return []
    }
  })
}

const ofProcess: ReadonlyMap<string, Kind> = new Map([
  ["ProcessWrap", "child processes"],
  ["TCPServerWrap", "servers"],
  ["FSEventWrap", "watchers of files"],
  ["StatWatcher", "watchers of files"],
  ["Timeout", "timers"]
])

const resources = (): Held => {
  const found: Partial<Record<Kind, Array<string>>> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    const name = ofProcess.get(kind)
    if (name !== undefined) (found[name] ??= []).push(kind)
  }
  return found
}

const listeners = (): ReadonlyArray<string> =>
  ["exit", "SIGINT", "SIGTERM", "SIGHUP"].flatMap((event) => process.listeners(event as "exit").map(() => event))

const shared = globalThis as { lifelineMayLeave?: ReadonlyArray<Kind> }

/** Kept at the class: a runner that reads all modules again for a file has other classes then. */
const noted = Runtime as { lifelineHoldings?: Noted }

/** What is held now. From the first call on, all that is taken is noted. */
export const held = (): Held => ({
  ...(noted.lifelineHoldings ??= new Noted()).held,
  ...resources(),
  "open files": openFiles(),
  "listeners of the process": listeners()
})

/** Leaves these on purpose, until the next test begins. Without kinds, nothing may be left again. */
export const mayLeave = (...some: ReadonlyArray<Kind>): void => {
  shared.lifelineMayLeave = some.length === 0 ? [] : [...shared.lifelineMayLeave ?? [], ...some]
}

/** For a test of many worlds that it drops: what is noted stays in memory. */
export const forget = (...some: ReadonlyArray<Kind>): void => noted.lifelineHoldings?.forget(some)

export const left = (before: Held, now: Held = held()): Held =>
  Object.fromEntries(
    kinds.flatMap((kind) => {
      if (shared.lifelineMayLeave?.includes(kind) === true) return []
      const old = [...before[kind] ?? []]
      const added = (now[kind] ?? []).filter((one) => {
        const index = old.indexOf(one)
        if (index !== -1) old.splice(index, 1)
        return index === -1
      })
      return added.length === 0 ? [] : [[kind, added]]
    })
  )

export const inWords = (held: Held): string =>
  Object.entries(held).map(([kind, all]) => {
    const names = new Set(all.filter((one) => typeof one === "string" && one.startsWith("/")))
    return `${all.length} ${kind}${names.size === 0 ? "" : ` (${[...names].join(", ")})`}`
  }).join("; ")
