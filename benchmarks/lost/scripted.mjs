/**
 * Backends of a scripted connector lost at once: how many connect at a time, and how long it takes until all are back.
 *
 * The ideal keeps every permit busy from the first moment that an attempt is allowed: at once after a lost session; after a
 * lost transport half of `reconnect.initialDelay`, where the jitter begins. A connect of the scripted connector takes what
 * one measured alone takes, so that the timer's grain does not count against the fleet.
 */
import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import * as common from "../common.mjs"

/** `reconnect.initialDelay`, in milliseconds. */
const initialDelay = 1000

/** @template A, E @param {Effect.Effect<A, E>} effect */
const run = (effect) => Effect.runPromise(effect.pipe(Logger.withMinimumLogLevel(LogLevel.None)))

/** @param {{ backends: number, concurrency: number, connect: number, runs: number }} options @returns {Promise<common.Result>} */
export const lost = async ({ backends, concurrency, connect, runs }) => {
  const connector = ScriptedConnector.make()
  connector.offer = { tools: [], prompts: [], resources: [], resourceTemplates: [] }
  connector.otherwise = { after: connect }

  let connecting = 0
  let most = 0
  let opened = 0
  let onOpened = () => {}
  connector.ledger.onWrite = ({ _tag }) => {
    if (_tag === "Attempt") most = Math.max(most, ++connecting)
    if (_tag !== "Opened") return
    connecting--
    opened++
    onOpened()
  }

  /** How long one connect takes, alone: the median of some. */
  const alone = async () => {
    const times = []
    for (let i = 0; i < 50; i++) {
      const startedAt = performance.now()
      await run(Effect.scoped(connector.connect({ onNotification: () => {} })))
      times.push(performance.now() - startedAt)
    }
    return common.median(times)
  }

  const each = await alone()
  connector.connections.length = 0

  const scope = Effect.runSync(Scope.make())
  const fleet = await run(
    Fleet.make({
      backends: Object.fromEntries(Array.from({ length: backends }, (_, i) => [`backend-${i}`, { connector }])),
      connectConcurrency: concurrency,
      // A second suffices to prove a connection stable, so that a lost session is resumed at once.
      defaults: { reconnect: { stableAfter: "1 second" } },
      waitTimeout: "5 minutes"
    }).pipe(Scope.extend(scope))
  )
  await run(fleet.ready)

  /** Loses all, and waits until all are back. @param {"session" | "closed"} kind */
  const lose = async (kind) => {
    await common.sleep(2000)
    opened = 0
    most = 0
    /** @type {Promise<void>} */
    const back = new Promise((resolve) => {
      onOpened = () => {
        if (opened === backends) resolve()
      }
    })
    const live = connector.connections.filter((connection) => connection.state === "open")
    if (live.length !== backends) throw new Error(`${live.length} connections are open`)
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    for (const connection of live) connection.lose(kind)
    await back
    const took = performance.now() - startedAt
    const { system, user } = process.cpuUsage(cpu)
    // What is over is of no interest to the books of a benchmark.
    connector.ledger.entries.length = 0
    return { took, most, cpu: (system + user) / 1000 }
  }

  const rows = []
  for (const kind of /** @type {const} */ (["session", "closed"])) {
    const ideal = (kind === "closed" ? initialDelay / 2 : 0) + Math.ceil(backends / concurrency) * each
    const results = []
    for (let i = 0; i < runs; i++) results.push(await lose(kind))
    const took = common.median(results.map((result) => result.took))
    const atOnce = Math.max(...results.map((result) => result.most))
    rows.push({
      name: `lost: ${kind}`,
      figures: {
        "all back ms": common.round(took, 0),
        "ideal ms": common.round(ideal, 0),
        "ratio": common.round(took / ideal, 2),
        "CPU ms": common.round(common.median(results.map((result) => result.cpu)), 0),
        "at a time": atOnce
      },
      bound: `<= 1.5 times, ${concurrency} at a time`,
      within: took <= 1.5 * ideal && atOnce <= concurrency
    })
  }
  await run(Effect.uninterruptible(Scope.close(scope, Exit.void)))
  const open = connector.connections.filter((connection) => connection.state !== "closed").length
  return {
    title: `${backends} backends lost at once, ${concurrency} connects at a time, each ${
      common.round(each)
    } ms; ${runs} runs`,
    rows,
    notes: [`connections left open after the fleet was closed: ${open}`]
  }
}
