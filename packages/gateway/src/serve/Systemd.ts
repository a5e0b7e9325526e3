/** If systemd asks for it (NOTIFY_SOCKET). Node.js has no Unix datagram sockets, so systemd-notify sends the messages. */
import { Effect, Schedule } from "effect"
import type { Scope } from "effect"
import { execFile } from "node:child_process"

/** For one message, in milliseconds. */
const notifyTimeout = 5000

const send = (...messages: ReadonlyArray<string>): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const child = execFile("systemd-notify", [...messages], { timeout: notifyTimeout }, (error) => {
      resume(error === null ? Effect.void : Effect.fail(error))
    })
    return Effect.sync(() => child.kill())
  })

/** In milliseconds; `undefined` if systemd expects no sign of life. */
const watchdog = (env: NodeJS.ProcessEnv): number | undefined => {
  const micros = Number(env["WATCHDOG_USEC"])
  const isOurs = env["WATCHDOG_PID"] === undefined || env["WATCHDOG_PID"] === String(process.pid)
  return isOurs && micros > 0 ? micros / 1000 : undefined
}

/** Sends signs of life until the scope closes. Never fails. */
export const notify = (status: string, env: NodeJS.ProcessEnv): Effect.Effect<void, never, Scope.Scope> => {
  if (!env["NOTIFY_SOCKET"]) return Effect.void
  return Effect.gen(function*() {
    yield* send("--ready", `--status=${status}`)
    yield* Effect.addFinalizer(() => Effect.ignore(send("STOPPING=1")))
    const every = watchdog(env)
    if (every === undefined) return
    yield* Effect.ignore(send("WATCHDOG=1")).pipe(
      Effect.repeat(Schedule.spaced(every / 3)),
      Effect.interruptible,
      Effect.forkScoped
    )
  }).pipe(Effect.catchAll((error) =>
    Effect.logWarning(
      `the gateway cannot report its state to systemd, because systemd-notify failed: ${error.message}`
    )
  ))
}
