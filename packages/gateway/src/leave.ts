/**
 * Ends the process. Node.js waits for its worker threads before it exits, and a thread that waits for a file system may do so for ever. Then
 * only SIGKILL ends the process.
 */

/** File operations, by their names in Node.js. */
const files = /^FSReq/
/** Everything that occupies a worker thread: file operations, and DNS lookups, which have their own time limit. */
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

/** Ends the process with an exit code, or with `exit`. Waits up to two seconds for file operations, then uses SIGKILL. */
export const leave = (code: number, exit: () => void = () => process.exit(code)): void => end(code, files, 2000, exit)

/** Ends the process with an exit code immediately. If a worker thread blocks that for more than a tenth of a second, uses SIGKILL. */
export const leaveNow = (code: number): void => end(code, threads, 100, () => process.exit(code))
