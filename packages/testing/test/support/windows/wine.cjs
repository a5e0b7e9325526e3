"use strict"
/** Read before every program that Wine runs: mends what Wine 8 does otherwise than Windows. */
const childProcess = require("node:child_process")
const { syncBuiltinESMExports } = require("node:module")
// @ts-expect-error -- it has no types
const { TCP } = process.binding("tcp_wrap")

// Wine does not know TCP_KEEPALIVE, by which Node.js sets after how long an idle socket is probed: `fetch`, and what else connects with
// `keepAlive`, would fail with "connect UNKNOWN".
TCP.prototype.setKeepAlive = () => 0

// Seen once in some ten thousand starts: CreateProcess fails in Wine with an error that Node.js has no name for, "spawn UNKNOWN", and the
// same test is green before and after. So it is asked once more.
const { spawn } = childProcess
childProcess.spawn = /** @type {typeof spawn} */ ((/** @type {Parameters<typeof spawn>} */ ...args) => {
  try {
    return spawn(...args)
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "UNKNOWN") throw error
    return spawn(...args)
  }
})
syncBuiltinESMExports()
