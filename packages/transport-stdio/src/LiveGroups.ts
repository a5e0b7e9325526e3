/** So that no process group outlives this process where that can be helped (S8). */

export interface LiveGroup {
  readonly handleSignals: boolean
  /** SIGKILL. Containers are left after `until`, on the scale of `performance.now`. */
  readonly kill: (until: number) => void
  readonly shutdown: () => Promise<void>
}

const live = new Set<LiveGroup>()
/** SIGBREAK is Ctrl+Break, on Windows only. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const

/** Exit code of Windows for Ctrl+C, Ctrl+Break, or a closed console. */
const controlExit = 0xC000013A

/** Milliseconds for the containers of all groups: nothing else happens in this process meanwhile. */
const killBound = 5_000

const killAll = (groups: Iterable<LiveGroup>): void => {
  const until = performance.now() + killBound
  for (const group of groups) group.kill(until)
}

const onExit = (): void => killAll(live)

let ending = false

const onSignal = (signal: NodeJS.Signals): void => {
  const asked = [...live].filter((group) => group.handleSignals)
  if (ending) {
    killAll(asked)
    return
  }
  ending = true
  void Promise.allSettled(asked.map((group) => group.shutdown())).then(() => {
    ending = false
    for (const name of signals) process.off(name, onSignal)
    // Without another listener the signal now ends the process.
    if (process.listenerCount(signal) > 0) return
    killAll([...live].filter((group) => group.handleSignals))
    // Windows cannot send most of these.
    if (process.platform === "win32") process.exit(controlExit)
    else process.kill(process.pid, signal)
  })
}

export const add = (group: LiveGroup): void => {
  if (live.size === 0) process.on("exit", onExit)
  live.add(group)
  // A server that was brought back while the others end.
  if (ending && group.handleSignals) killAll([group])
  if (group.handleSignals && !process.listeners("SIGTERM").includes(onSignal)) {
    for (const name of signals) process.on(name, onSignal)
  }
}

export const remove = (group: LiveGroup): void => {
  if (!live.delete(group)) return
  if (live.size === 0) process.off("exit", onExit)
  if (!ending && ![...live].some((other) => other.handleSignals)) {
    for (const name of signals) process.off(name, onSignal)
  }
}
