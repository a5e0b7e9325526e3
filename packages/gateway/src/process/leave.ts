/** A worker thread that waits for a file system may do so for ever, and Node.js waits for it: then only SIGKILL ends the process. */

/** Names of Node.js. */
const files = /^FSReq/
/** DNS lookups have their own time limit. */
const threads = /^(FSReq|GetAddrInfo|GetNameInfo)/

const interval = 20

const end = (code: number, blocking: RegExp, timeout: number, exit: () => void): void => {
  const until = performance.now() + timeout
  const attempt = (): void => {
    if (!process.getActiveResourcesInfo().some((name) => blocking.test(name))) return exit()
    if (performance.now() < until) return void setTimeout(attempt, interval)
    // After all other exit handlers.
    process.once("exit", () => process.kill(process.pid, "SIGKILL"))
    process.exit(code)
  }
  attempt()
}

/** Waits up to two seconds for file operations, then uses SIGKILL. */
export const leave = (code: number, exit: () => void = () => process.exit(code)): void => end(code, files, 2000, exit)

/** Uses SIGKILL after a tenth of a second. */
export const leaveNow = (code: number): void => end(code, threads, 100, () => process.exit(code))
