/**
 * Many servers over real HTTP lost at once, and a call for each of them at that moment: by `connectAll`, and by official Clients that are made
 * anew after any error.
 */
import { fork } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as common from "../common.mjs"

/** @param {string} path */
const file = (path) => fileURLToPath(new URL(path, import.meta.url))

/** What a child says next. @param {import("node:child_process").ChildProcess} child @param {any} message @returns {Promise<any>} */
const ask = (child, message) =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a process of the benchmark has ended"))
    child.once("exit", ended)
    child.once("message", (answer) => {
      child.off("exit", ended)
      resolve(answer)
    })
    child.send(message)
  })

/** @param {import("node:child_process").ChildProcess} child */
const ended = (child) => new Promise((resolve) => child.once("exit", resolve))

/** How long the servers are gone when they are killed, in milliseconds. */
const gone = 1000

/**
 * @typedef {{ took: ReadonlyArray<number>, failed: number, cpu: number, most: number, twice: number, left: number }} Storm
 */

/**
 * One contender, through both faults.
 *
 * @param {"lifeline" | "official"} contender
 * @param {{ backends: number, concurrency: number, connect: number, runs: number }} options
 * @param {string} book
 */
const measured = async (contender, { backends, concurrency, connect, runs }, book) => {
  const start = () => fork(file("../fixtures/servers.mjs"), [book])
  let servers = start()
  const callers = fork(file("callers.mjs"), [contender])
  try {
    /** @type {Array<number>} */
    const ports = await ask(servers, { ports: Array.from({ length: backends }, () => 0), delay: connect })
    await ask(callers, { ports, concurrency })
    /** @param {string} round @param {() => Promise<unknown>} fault @returns {Promise<Storm>} */
    const storm = async (round, fault) => {
      await ask(callers, { round: `${round} before` })
      // So long that connections count as stable.
      await common.sleep(11_000)
      const faulty = fault()
      const result = await ask(callers, { round })
      await faulty
      const { most, sessions } = await ask(servers, "tell")
      const made = readFileSync(book, "utf8").split("\n").filter((line) => line.startsWith(`${round} `))
      return { ...result, most, left: sessions - backends, twice: made.length - new Set(made).size }
    }
    /** @type {Record<"sessions" | "servers", Array<Storm>>} */
    const storms = { sessions: [], servers: [] }
    for (let i = 0; i < runs; i++) {
      storms.sessions.push(await storm(`${contender} sessions ${i}`, () => ask(servers, "forget")))
      storms.servers.push(
        await storm(`${contender} servers ${i}`, async () => {
          const over = ended(servers)
          servers.kill("SIGKILL")
          await over
          await common.sleep(gone)
          servers = start()
          await ask(servers, { ports, delay: connect })
        })
      )
    }
    return storms
  } finally {
    const over = ended(callers)
    if (callers.connected) callers.send("close")
    await over
    servers.kill()
  }
}

/** @param {{ backends: number, concurrency: number, connect: number, runs: number }} options @returns {Promise<common.Result>} */
export const lost = async (options) => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-lost-"))
  try {
    const rows = []
    for (const contender of /** @type {const} */ (["lifeline", "official"])) {
      const storms = await measured(contender, options, join(folder, contender))
      for (const [kind, all] of Object.entries(storms)) {
        /** @param {(storm: Storm) => number} of */
        const middle = (of) => common.round(common.median(all.map(of)), 0)
        /** @param {(storm: Storm) => number} of */
        const worst = (of) => Math.max(...all.map(of))
        rows.push({
          name: `${contender === "lifeline" ? "Lifeline" : "official Client, made anew"}: all ${kind} lost`,
          figures: {
            "half answered ms": middle(({ took }) => common.median(took)),
            "all answered ms": middle(({ took }) => Math.max(...took)),
            "failed calls": middle(({ failed }) => failed),
            "effects twice": worst(({ twice }) => twice),
            "connects at a time": worst(({ most }) => most),
            "sessions too many": worst(({ left }) => left),
            "CPU ms": middle(({ cpu }) => cpu)
          },
          ...(contender === "lifeline"
            ? {
              bound: "no effect twice",
              within: worst(({ twice }) => twice) === 0
            }
            : {})
        })
      }
    }
    return {
      title:
        `${options.backends} servers over HTTP lost at once, with a call for each at that moment; ${options.connect} ms to initialize; ${options.runs} runs`,
      rows,
      notes: [
        `Lost servers are killed and back on the same ports ${gone} ms later: that second is in the figures.`,
        "An attempt of Lifeline that takes longer than 2 s no longer counts, so that more may be at work at a time."
      ]
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
