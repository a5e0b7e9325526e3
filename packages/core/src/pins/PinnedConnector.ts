/**
 * A connector whose connections offer only tools whose definitions were approved.
 *
 * It stands around the connector that makes the connection to the server itself, so that whoever asks through it, and in whichever way, gets
 * what it leaves. A pool puts one around each of its processes, because each may list other tools than the one before it.
 */
import { Effect, Schedule, type Scope } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import type { Policy } from "../options/Policy.js"
import { problemOf } from "../port/checkConnector.js"
import type { ConnectOptions, Connector, ServerNotification } from "../port/Connector.js"
import { PinnedConnection } from "./PinnedConnection.js"
import { Pins } from "./Pins.js"

/** What it needs to know of the server. */
export interface Options {
  readonly backend: string
  readonly policy: Policy
  readonly pins: Pins
}

/** Says that the tools that a server offers have changed, although the server does not: something was approved, or is withheld from now on. */
const toolsChanged: ServerNotification = { method: "notifications/tools/list_changed" }

/** How often to look whether another program has approved something, while something waits for that. */
const look = "2 seconds"

export const around = (connector: Connector, { backend, pins, policy }: Options): Connector => ({
  ...connector,
  connect: (options) =>
    Effect.gen(function*() {
      let pinned: PinnedConnection | undefined
      const given: ConnectOptions = {
        ...options,
        supervision: { ...(options.supervision ?? { backend, policy }), pins },
        onNotification: (notification) => {
          // Before anybody is told: who asks for the lists now has to get those after the change.
          if (notification.method === toolsChanged.method) pinned?.changed()
          options.onNotification(notification)
        },
        onHearing: (hearing) => {
          pinned?.hears(hearing)
          options.onHearing?.(hearing)
        }
      }
      const inner = yield* connector.connect(given)
      // What is no connection is refused by whoever has asked for one.
      if (problemOf(inner) !== undefined || inner.spreads === true || inner.isFiltered === true) return inner
      const clock = yield* Effect.clock
      const announce = () => {
        options.onNotification(toolsChanged)
        options.supervision?.offers?.announce(toolsChanged)
      }
      const made = pinned = new PinnedConnection({ inner, backend, policy, pins, clock, announce })
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          pins.approvals.listen(() => {
            // What could not be read is gone: the next list is the first one, and calls wait for it.
            if (!pins.isKnown) made.changed()
            announce()
          })
        ),
        (stop) => Effect.sync(stop)
      )
      yield* followApprovals(pins)
      return yield* made.connection
    })
})

/** Looks for approvals of other programs as long as something waits for one. */
const followApprovals = (pins: Pins): Effect.Effect<void, never, Scope.Scope> => {
  const changes = Effect.async<void>((resume) => {
    if (pins.hasChanges) return resume(Effect.void)
    const stop = pins.changed.listen(() => {
      if (!pins.hasChanges) return
      stop()
      resume(Effect.void)
    })
    return Effect.sync(stop)
  })
  const follow = Effect.repeat(Effect.zipRight(Effect.sleep(look), pins.reload), {
    while: () => pins.hasChanges,
    schedule: Schedule.forever
  })
  const loop = Effect.forever(Effect.zipRight(changes, follow))
  return Effect.asVoid(
    Effect.forkScoped(
      Effect.interruptible(
        Effect.catchAllCause(loop, (cause) => SafeLog.error(`the approvals of tools are not followed any more`, cause))
      )
    )
  )
}
