import { Bytes } from "@mcp-lifeline/core/text"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, watch } from "node:fs"
import { createServer } from "node:http"
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { Hub } from "../../core/src/internal/Hub.js"
import { Runtime } from "../../core/src/runtime/Runtime.js"
import { EventBudget } from "../../http-server/src/EventBudget.js"
import { Holding, Quota } from "../../protocol/src/Quota.js"
import { Shares } from "../../protocol/src/Shares.js"
import { held, inWords, type Kind, left, mayLeave } from "./support/Holdings.js"

const amount = { count: 5, bytes: Bytes(100) }

const run = Effect.runSync

const takes: ReadonlyArray<readonly [what: string, kinds: ReadonlyArray<Kind>, take: () => Promise<() => unknown>]> = [
  ["a connection", ["connections"], async () => {
    const runtime = run(Runtime.make(1))
    return () => run(runtime.closeConnection)
  }],
  ["a request in flight", ["leases"], async () => {
    const runtime = run(Runtime.make(1))
    run(runtime.closeConnection)
    runtime.begin()
    return () => runtime.end(0, true)
  }],
  ["a request in flight that another connection has taken over", ["leases"], async () => {
    const [one, other] = [run(Runtime.make(1)), run(Runtime.make(2))]
    for (const runtime of [one, other]) run(runtime.closeConnection)
    one.begin()
    one.handOver(other)
    return () => one.end(0, true)
  }],
  ["a listener", ["listeners"], async () => new Hub<number>().listen(() => {})],
  ["a listener of a hub that ends", ["listeners"], async () => {
    const hub = new Hub<number>()
    hub.listen(() => {})
    return () => hub.end()
  }],
  ["a holder", ["quotas"], async () => {
    const holding = new Holding({ ...amount, item: Bytes(10) })
    holding.take(Bytes(1))
    return () => holding.release(Bytes(1))
  }],
  ["a holder of a quota that closes", ["quotas", "shares"], async () => {
    const holding = new Quota({ holder: { ...amount, item: Bytes(10) }, all: amount }).holderOf("a client")
    holding.take(Bytes(1))
    return () => holding.close()
  }],
  ["a share", ["shares"], async () => {
    const shares = new Shares(10)
    shares.take("a client")
    return () => shares.release("a client")
  }],
  ["events that are kept", ["events"], async () => {
    const [budget, keeper] = [new EventBudget(Bytes(100)), { discard: () => {} }]
    budget.set(keeper, Bytes(10))
    return () => budget.set(keeper, Bytes(0))
  }],
  ["a child process", ["child processes"], async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
    await once(child, "spawn")
    return async () => {
      child.kill("SIGKILL")
      await once(child, "exit")
    }
  }],
  ["a server", ["servers"], async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    return () => new Promise((done) => server.close(done))
  }],
  ["a watcher", ["watchers of files"], async () => {
    const watcher = watch(import.meta.dirname)
    return () => watcher.close()
  }],
  ["a timer", ["timers"], async () => {
    const timer = setTimeout(() => {}, 60_000)
    return () => clearTimeout(timer)
  }],
  ["a file", process.platform === "linux" ? ["open files"] : [], async () => {
    const file = openSync(import.meta.filename, "r")
    return () => closeSync(file)
  }],
  ["a listener to a signal", ["listeners of the process"], async () => {
    const heard = () => {}
    process.on("SIGTERM", heard)
    return () => process.off("SIGTERM", heard)
  }]
]

describe("what a test has left", () => {
  it.each(takes)("[F6] %s is found until it is given back, also the second", async (_, kinds, take) => {
    const before = held()
    const nothing = async () => {
      for (let turns = 0; turns < 10_000 && Object.keys(left(before)).length > 0; turns++) await setImmediate()
      expect(left(before)).toEqual({})
    }
    const first = await take()
    expect(Object.keys(left(before))).toEqual(kinds)
    const between = held()
    const second = await take()
    expect(Object.keys(left(between))).toEqual(kinds)
    await first()
    expect(Object.keys(left(before))).toEqual(kinds)
    await second()
    await nothing()
    const third = await take()
    mayLeave(...kinds)
    expect(left(before)).toEqual({})
    mayLeave()
    expect(Object.keys(left(before))).toEqual(kinds)
    await third()
    await nothing()
  })

  it("[F6] is said in words, with the names of files", () => {
    expect(inWords({ timers: ["Timeout", "Timeout"], "open files": ["/tmp/a", "/tmp/a", "/tmp/b"] })).toBe(
      "2 timers; 3 open files (/tmp/a, /tmp/b)"
    )
  })
})
