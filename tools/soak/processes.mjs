/**
 * Processes of a soak: each has a mark in its environment, which its children inherit unless they get one of their own. Linux says them in
 * `/proc`.
 */
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

const variable = "LIFELINE_SOAK"

/** The environment variable of a mark. @param {ReadonlyArray<string>} mark the soak, the door, and the server @returns {Record<string, string>} */
export const marked = (...mark) => ({ [variable]: mark.join("/") })

/** @param {string} file */
const parts = (file) => {
  try {
    return readFileSync(file, "utf8").split("\0")
  } catch {
    // It has ended, or is somebody else's.
    return []
  }
}

/** The processes with this mark, or with one that begins with it, that are no zombies. @param {...string} mark */
export const withMark = (...mark) => {
  const wanted = `${variable}=${mark.join("/")}`
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name)
    if (!(pid > 0) || pid === process.pid) return []
    const found = parts(`/proc/${name}/environ`).some((one) => one === wanted || one.startsWith(`${wanted}/`))
    return found ? [{ pid, args: parts(`/proc/${name}/cmdline`).slice(0, -1) }] : []
  })
}

/** The processes with a mark that run this program themselves, and do not only have its path among their arguments. @param {string} program @param {...string} mark */
export const running = (program, ...mark) =>
  withMark(...mark).flatMap(({ args, pid }) => args[1] === program ? [pid] : [])

/** @param {number} pid @param {NodeJS.Signals} signal */
export const signal = (pid, signal) => {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}

/** @param {number} pid */
export const isAlive = (pid) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Waits until it is true. @param {() => boolean | Promise<boolean>} condition @param {number} patience in milliseconds @returns {Promise<boolean>} whether it became true */
export const eventually = async (condition, patience) => {
  for (const until = performance.now() + patience; !await condition(); await sleep(50)) {
    if (performance.now() > until) return false
  }
  return true
}

/** A port that is free now. @returns {Promise<number>} */
export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
