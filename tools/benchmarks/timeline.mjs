/**
 * Calls over time, while something fails: at a fixed rate, by the official Client, by the official Client that is replaced by a new one on
 * error, and by `connect`, all at once, each with a real server of its own.
 *
 * Every second call only reads, the others have an effect. A call takes the server `--work` milliseconds, and its caller gives it up after
 * `--timeout`. A call after the other starts each `--every` milliseconds, whether those before it have ended or not. The fault comes
 * `--fault` seconds after the first call, while one of each kind is underway:
 *
 * - crash: the server's process is killed with SIGKILL (stdio)
 * - wedged: it is stopped with SIGSTOP, and stays so (stdio). It takes long until anybody notices, so this runs for `--wedged` seconds in
 *   place of `--seconds`, with a third of the calls
 * - network: connections to the server are reset, and new ones refused, for `--away` seconds (HTTP, through a proxy of ours)
 *
 *     node tools/benchmarks/timeline.mjs [--seconds 18] [--wedged 90] [--fault 3] [--away 5] [--every 250] [--work 450] [--timeout 10000] [--json]
 */
import { TcpProxy } from "@mcp-lifeline/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"
import { clients } from "./timeline/clients.mjs"

const { away, every, fault, json, seconds, timeout, wedged, work } = common.options({
  seconds: 18,
  wedged: 90,
  fault: 3,
  away: 5,
  every: 250,
  work: 450,
  timeout: 10_000
})
if (work <= 1.5 * every) {
  throw new Error(
    "--work must be more than one and a half times --every, so that the fault finds a call of each kind underway"
  )
}

const server = fileURLToPath(new URL("timeline/server.mjs", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "lifeline-timeline-"))
/** Processes that have answered, and those of servers over HTTP. @type {Set<number>} */
const pids = new Set()
const killServers = () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
  pids.clear()
}
process.once("exit", () => {
  killServers()
  rmSync(folder, { recursive: true, force: true })
})

/**
 * A server that a client has for itself, and how it breaks. `pid` is the process that answered last.
 *
 * @typedef {{ target: import("./timeline/clients.mjs").Target, fail: (pid: number) => unknown, close: () => Promise<unknown> }} Stand
 */

/** @param {NodeJS.Signals} signal @returns {Fault["stand"]} */
const overStdio = (signal) => async (file, work) => ({
  target: { command: process.execPath, args: [server, "stdio", file, String(work)] },
  fail: (pid) => process.kill(pid, signal),
  close: () => Promise.resolve()
})

/** @type {Fault["stand"]} */
const overHttp = async (file, work) => {
  const child = spawn(process.execPath, [server, "http", file, String(work)], { stdio: ["pipe", "pipe", "inherit"] })
  if (child.pid !== undefined) pids.add(child.pid)
  const [port] = await once(child.stdout.setEncoding("utf8"), "data")
  const proxy = await TcpProxy.open(`http://127.0.0.1:${Number(port)}/mcp`)
  return {
    target: { url: proxy.url },
    fail: async () => {
      const refused = proxy.refuse()
      proxy.cut()
      await refused
      await common.sleep(away * 1000)
      await proxy.accept()
    },
    close: async () => {
      await proxy[Symbol.asyncDispose]()
      child.stdin.end()
    }
  }
}

/**
 * A fault, and for how many seconds calls are made, one each so many milliseconds, which take the server so many milliseconds.
 *
 * @typedef {{ title: string, stand: (file: string, work: number) => Promise<Stand>, seconds: number, every: number, work: number, away?: number }} Fault
 */

/** @type {Readonly<Record<string, Fault>>} */
const faults = {
  crash: {
    title: "The server is killed (SIGKILL), over stdio",
    stand: overStdio("SIGKILL"),
    seconds,
    every,
    work
  },
  wedged: {
    title: "The server stops answering (SIGSTOP), over stdio",
    stand: overStdio("SIGSTOP"),
    seconds: wedged,
    every: 3 * every,
    work: 3 * work
  },
  network: {
    title: `The network is gone for ${away} s, over HTTP`,
    stand: overHttp,
    seconds,
    every,
    work,
    away
  }
}

/** When a call started and how long it took, in milliseconds since the first call, and how it ended. @typedef {[start: number, took: number, outcome: "good" | "failed" | "hung", tool: "read" | "write"]} Call */

/** @param {string} kind @param {Fault} of @param {string} name @returns {Promise<{ run: () => Promise<Array<Call>>, twice: () => number, close: () => Promise<unknown> }>} */
const prepare = async (kind, { every, seconds, stand: open, work }, name) => {
  const file = join(folder, `${kind}-${name.replaceAll(/\W+/g, "-")}`)
  writeFileSync(file, "")
  const stand = await open(file, work)
  const caller = await /** @type {(typeof clients)[string]} */ (clients[name])(stand.target)
  let pid = 0
  /** @param {"read" | "write"} tool @param {number} i */
  const call = async (tool, i) => {
    pid = Number(await caller.call({ name: tool, arguments: { key: `${tool} ${i}` } }, timeout))
    pids.add(pid)
  }
  await call("read", -1)
  return {
    run: async () => {
      const startedAt = performance.now()
      const since = () => performance.now() - startedAt
      /** @type {Array<Promise<Call>>} */
      const calls = []
      const failing = common.sleep(fault * 1000 + every / 2).then(() => stand.fail(pid))
      for (let i = 0; i * every < seconds * 1000; i++) {
        await common.sleep(i * every - since())
        const start = since()
        const tool = i % 2 === 0 ? "read" : "write"
        /** @param {boolean} isGood @returns {Call} */
        const ended = (isGood) => {
          const took = since() - start
          // Timers are up to a few milliseconds early or late.
          const outcome = isGood ? "good" : took > timeout - 50 ? "hung" : "failed"
          return [Math.round(start), Math.round(took), outcome, tool]
        }
        calls.push(call(tool, i).then(() => ended(true), () => ended(false)))
      }
      await failing
      return Promise.all(calls)
    },
    close: () => Promise.all([caller.close().catch(() => undefined), stand.close()]),
    twice: () => {
      const keys = readFileSync(file, "utf8").trim().split("\n")
      return keys.length - new Set(keys).size
    }
  }
}

/** @param {ReadonlyArray<Call>} calls @param {number} at when the fault came */
const figures = (calls, at) => {
  const count = (/** @type {Call[2]} */ outcome) => calls.filter((call) => call[2] === outcome).length
  // From the fault to the end of the first call that was made after it and was good.
  const first = Math.min(
    ...calls.filter(([start, , outcome]) => start > at && outcome === "good").map(([start, took]) => start + took - at)
  )
  return {
    calls: calls.length,
    good: count("good"),
    failed: count("failed"),
    [`no answer in ${timeout / 1000} s`]: count("hung"),
    "first good call ms": Number.isFinite(first) ? Math.round(first) : "never",
    "slowest good call ms": Math.max(...calls.filter(([, , outcome]) => outcome === "good").map(([, took]) => took))
  }
}

const parts = []
for (const [kind, of] of Object.entries(faults)) {
  const { away, every, seconds, title } = of
  const faultAt = fault * 1000 + every / 2
  const stands = []
  for (const name of Object.keys(clients)) stands.push({ name, ...await prepare(kind, of, name) })
  const recordings = await Promise.all(stands.map(({ run }) => run()))
  // One that is stopped could not end when its client asks it to.
  killServers()
  await Promise.all(stands.map(({ close }) => close()))
  parts.push({
    id: kind,
    title,
    rows: stands.map(({ name, twice }, i) => ({
      name,
      figures: { ...figures(recordings[i] ?? [], faultAt), "effects twice": twice() }
    })),
    series: {
      fault: kind,
      faultAt,
      ...(away === undefined ? {} : { faultEnd: faultAt + away * 1000 }),
      timeout,
      seconds,
      every,
      calls: Object.fromEntries(stands.map(({ name }, i) => [name, recordings[i]]))
    }
  })
}
common.reportParts({ parts, json })
process.exit()
