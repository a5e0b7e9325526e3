/**
 * What servers do that look dead, or are. Each says whether the server must be kept, and what callers do meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises"

/** @typedef {import("./cell.mjs").Cell} Cell */
/**
 * @typedef {object} Behaviour
 * @property {string} what
 * @property {boolean} isKept
 * @property {ReadonlyArray<"stdio" | "http">} transports
 * @property {string} [mode] of `server.mjs`
 * @property {boolean} [atStart] it begins before the client has connected
 * @property {number} [within] for how many milliseconds calls are made until one is good. Default 60,000
 * @property {(cell: Cell) => Promise<unknown>} play
 */

const second = 1000
const minute = 60 * second
const stdio = /** @type {const} */ (["stdio"])
const http = /** @type {const} */ (["http"])

/** A server that has answered a call while another one was in progress. @param {Cell} cell */
const isConcurrent = async (cell) => {
  const slow = cell.call("sleep", 2 * second, minute)
  await cell.call("look", 0, minute)
  await slow
}

/** @type {Readonly<Record<string, Behaviour>>} */
export const behaviours = {
  "busy": {
    what: "computes for 8 minutes on a call, and reads nothing; the caller waits for 15",
    isKept: true,
    transports: stdio,
    play: (cell) => cell.call("spin", 8 * minute, 15 * minute)
  },
  "loop-waited": {
    what: "computes for ever on a call; for a minute, its caller waits",
    isKept: true,
    transports: stdio,
    play: async (cell) => {
      cell.leave("spin", 60 * minute, 65 * second)
      await sleep(minute)
    }
  },
  "blocking": {
    what: "waits in the kernel for another process for 3 minutes, and reads nothing; the caller waits for 5",
    isKept: true,
    transports: stdio,
    play: (cell) => cell.call("read", 3 * minute, 5 * minute)
  },
  "child": {
    what:
      "waits for a process of its own for a minute, after it has answered calls side by side; the caller waits for 3",
    isKept: true,
    transports: stdio,
    play: async (cell) => {
      await isConcurrent(cell)
      await cell.call("child", minute, 3 * minute)
    }
  },
  "collector": {
    what: "pauses for 20 s, computing, after it has answered calls side by side; callers wait",
    isKept: true,
    transports: ["stdio", "http"],
    play: async (cell) => {
      await isConcurrent(cell)
      await cell.call("pause", 20 * second, minute)
      await sleep(second)
      await cell.call("look", 0, minute)
    }
  },
  "no-pings": {
    what: "ignores pings; a call takes a minute, and a caller gives up another one after 10 s",
    isKept: true,
    transports: stdio,
    mode: "pings-ignored",
    play: (cell) => slowAndGivenUp(cell)
  },
  "empty-pings": {
    what: "answers a ping with 200 and no body; a call takes a minute, and a caller gives up another one after 10 s",
    isKept: true,
    transports: http,
    mode: "pings-empty",
    play: (cell) => slowAndGivenUp(cell)
  },
  "one-thread": {
    what: "computes for a minute on a call, and accepts nothing; its caller and a second one wait for 3",
    isKept: true,
    transports: http,
    play: async (cell) => {
      const busy = cell.call("spin", minute, 3 * minute)
      await sleep(second)
      await cell.call("look", 0, 3 * minute)
      await busy
    }
  },
  "slow-start": {
    what: "takes 45 s to start; the client waits for 2 minutes",
    isKept: true,
    transports: stdio,
    mode: "starts-late",
    atStart: true,
    play: async (cell) => {
      await cell.open(2 * minute)
      await cell.call("look", 0, 2 * minute)
    }
  },
  "suspended": {
    what: "is suspended for a minute with its client, as a laptop is",
    isKept: true,
    transports: ["stdio", "http"],
    play: async (cell) => {
      await cell.suspend(minute)
      await cell.call("look", 0, minute)
    }
  },
  "frozen": {
    what: "is stopped (SIGSTOP)",
    isKept: false,
    transports: stdio,
    play: async (cell) => cell.stop()
  },
  "deadlock": {
    what: "waits for a lock for ever, after it has answered calls side by side",
    isKept: false,
    transports: stdio,
    play: async (cell) => {
      await isConcurrent(cell)
      cell.leave("deadlock", 0, 10 * second)
    }
  },
  "first-deadlock": {
    what: "waits for a lock for ever, in its first call",
    isKept: false,
    transports: stdio,
    play: async (cell) => cell.leave("deadlock", 0, 10 * second)
  },
  "stuck-session": {
    what: "answers nothing more in one session, and would in a new one, after it has answered calls side by side",
    isKept: false,
    transports: http,
    play: async (cell) => {
      await isConcurrent(cell)
      cell.leave("stick", 0, 10 * second)
    }
  },
  "hung-restart": {
    within: 8 * minute,
    what: "is killed, and the next process never starts; the one after that would",
    isKept: false,
    transports: stdio,
    mode: "never-starts-second",
    play: async (cell) => cell.kill()
  },
  "loop-left": {
    within: 5 * minute,
    what: "computes for ever on a call, whose caller leaves after 10 s",
    isKept: false,
    transports: stdio,
    play: async (cell) => cell.leave("spin", 60 * minute, 10 * second)
  },
  "no-start": {
    within: 8 * minute,
    what: "never starts; the next process would",
    isKept: false,
    transports: stdio,
    mode: "never-starts-first",
    atStart: true,
    play: async (cell) => {
      for (let opened = await cell.open(minute); opened.error !== undefined;) opened = await cell.open(minute)
    }
  }
}

/** @param {Cell} cell */
const slowAndGivenUp = async (cell) => {
  const slow = cell.call("sleep", minute, 3 * minute)
  cell.leave("sleep", minute, 10 * second)
  await slow
}
