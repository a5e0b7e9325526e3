/**
 * The end of the process. Before Node.js ends it, it waits for its threads, and one that waits for a file system may do so for ever: then no
 * signal but SIGKILL ends the process.
 */

/** Work on files, by its names in Node.js. */
const files = /^FSReq/
/** All that occupies one of the threads, also questions to name servers, which have their own time limit. */
const threads = /^(FSReq|GetAddrInfo|GetNameInfo)/

const interval = 20

const end = (code: number, blocking: RegExp, timeout: number, exit: () => void): void => {
  const until = performance.now() + timeout
  const attempt = (): void => {
    if (!process.getActiveResourcesInfo().some((name) => blocking.test(name))) return exit()
    if (performance.now() < until) return void setTimeout(attempt, interval)
    // After all that is to run at the exit.
    process.once("exit", () => process.kill(process.pid, "SIGKILL"))
    process.exit(code)
  }
  attempt()
}

/** Ends the process with an exit code, or by `exit`; with SIGKILL where a file system has not answered for two more seconds. */
export const leave = (code: number, exit: () => void = () => process.exit(code)): void => end(code, files, 2000, exit)

/** Ends the process with an exit code at once; with SIGKILL where a thread would keep it for more than a tenth of a second. */
export const leaveNow = (code: number): void => end(code, threads, 100, () => process.exit(code))
