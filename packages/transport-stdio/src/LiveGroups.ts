/**
 * All process groups that are alive, so that none outlives this process where that can be helped (S8).
 */

export interface LiveGroup {
  readonly handleSignals: boolean
  /** SIGKILL to the group, now. What has to be removed with it is left after `until`, on the scale of `performance.now`. */
  readonly kill: (until: number) => void
  /** The whole ladder. */
  readonly shutdown: () => Promise<void>
}

const live = new Set<LiveGroup>()
/** SIGBREAK is Ctrl+Break, on Windows only. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const

/** With what Windows ends a program that does nothing about Ctrl+C, Ctrl+Break, or the end of its console. */
const controlExit = 0xC000013A

/** How long removing the containers of all groups may take together, in milliseconds: nothing else happens in this process meanwhile. */
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
    // Without a listener of somebody else the signal now does what it does by default: it ends the process.
    if (process.listenerCount(signal) > 0) return
    killAll([...live].filter((group) => group.handleSignals))
    // No program of Windows can send most of these.
    if (process.platform === "win32") process.exit(controlExit)
    else process.kill(process.pid, signal)
  })
}

/** Watches over a group until it is removed. The hooks are there only while there are groups. */
export const add = (group: LiveGroup): void => {
  if (live.size === 0) process.on("exit", onExit)
  live.add(group)
  // Somebody has brought a server back whose group has ended before the others.
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
