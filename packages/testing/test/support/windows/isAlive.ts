/**
 * Whether a process runs, where no process is a zombie: for tests on Windows, and what they bundle for it.
 */
export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
