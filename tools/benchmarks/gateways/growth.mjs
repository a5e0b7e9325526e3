/**
 * How gateways grow with servers and with clients. A gateway for one server is measured with more clients only.
 */
import { fileURLToPath } from "node:url"
import * as common from "../common.mjs"
import * as Caller from "./caller.mjs"
import * as Processes from "./processes.mjs"

const program = fileURLToPath(new URL("../fixtures/echo.mjs", import.meta.url))

/** Each client makes one call after the other for so many seconds. @param {ReadonlyArray<Caller.Caller>} callers @param {number} seconds */
const load = async (callers, seconds) => {
  /** @type {Array<number>} */
  const took = []
  const startedAt = performance.now()
  const end = startedAt + seconds * 1000
  await Promise.all(callers.map(async ({ call }) => {
    do {
      const at = performance.now()
      await call()
      took.push(performance.now() - at)
    } while (performance.now() < end)
  }))
  return { took, rate: took.length / ((performance.now() - startedAt) / 1000) }
}

/** What so many clients see of a gateway, and what they cost it. @param {Processes.Gateway} gateway @param {number} clients @param {number} seconds */
export const measured = async (gateway, clients, seconds) => {
  /** @type {Array<Caller.Caller>} */
  const callers = []
  try {
    for (let i = 0; i < clients; i++) callers.push(await Caller.open(gateway, 1))
    await load(callers, seconds / 4)
    const before = Processes.cpu(gateway)
    const { rate, took } = await load(callers, seconds)
    const cpu = (Processes.cpu(gateway) - before) / took.length
    return {
      "p50 ms": common.round(common.median(took), 2),
      "calls/s": Math.round(rate),
      ...(Number.isNaN(cpu) ? {} : { "CPU ms a call": common.round(cpu, 2) }),
      "RSS MB": Math.round(Processes.memory(gateway))
    }
  } finally {
    for (const caller of callers) caller.close()
  }
}

/** Rows for each gateway, one gateway at a time. @param {ReadonlyArray<Processes.Product>} products @param {number} seconds @param {Array<string>} notes */
export const rows = async (products, seconds, notes) => {
  /** @type {Array<common.Row>} */
  const found = []
  for (const product of products) {
    for (const count of product.isSingle ? [1] : [1, 10, 50]) {
      try {
        const gateway = await Processes.started(product, { program, args: [], count })
        for (const clients of [1, 10, 50, 200]) {
          try {
            const figures = await measured(gateway, clients, seconds)
            const name = `${gateway.name}: servers ${count}, clients ${clients}`
            found.push({ name, figures: { servers: count, clients, ...figures } })
          } catch (error) {
            notes.push(Processes.leftOut(`${gateway.name} with ${clients} clients and ${count} servers`, error))
          }
        }
        gateway.stop()
      } catch (error) {
        notes.push(Processes.leftOut(`${product.name} with ${count} servers`, error))
      }
    }
  }
  return found
}
