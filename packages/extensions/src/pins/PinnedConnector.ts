/** Wraps the connector that makes the connection: no request passes around it. */
import type { ConnectOptions, Connector, Policy, Report, ServerNotification } from "@mcp-lifeline/core"
import { problemOf, SafeLog } from "@mcp-lifeline/core/internal"
import { Effect, Schedule, type Scope } from "effect"
import { PinnedConnection } from "./PinnedConnection.js"
import type { PinnedTools } from "./PinnedTools.js"

export interface Options {
  readonly backend: string
  readonly policy: Policy.Policy
  readonly pins: PinnedTools
}

/** Announced after an approval or a withholding. */
const toolsChanged: ServerNotification = { method: "notifications/tools/list_changed" }

const isOfTools = (report: Report): boolean =>
  report._tag === "Notification" && report.notification.method === toolsChanged.method

/** For approvals of other programs, while a change waits for one. */
const look = "2 seconds"

export const around = (connector: Connector, { backend, pins, policy }: Options): Connector => ({
  ...connector,
  connect: (options) =>
    Effect.gen(function*() {
      let pinned: PinnedConnection | undefined
      const given: ConnectOptions = {
        ...options,
        report: (report) => {
          // First: a client that asks now must get the changed lists.
          if (isOfTools(report)) pinned?.changed()
          if (report._tag === "Hearing") pinned?.hears(report.hearing)
          options.report(report)
        }
      }
      const inner = yield* connector.connect(given)
      // The caller refuses what is no connection.
      if (problemOf(inner) !== undefined || inner.isFiltered === true) return inner
      const clock = yield* Effect.clock
      const announce = () => {
        options.report({ _tag: "Notification", notification: toolsChanged })
        options.offers?.announce(toolsChanged)
      }
      const made = pinned = new PinnedConnection({ inner, backend, policy, pins, clock, announce })
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          pins.approvals.listen(() => {
            // What was approved is gone: calls wait for the next list, which is the first.
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

const followApprovals = (pins: PinnedTools): Effect.Effect<void, never, Scope.Scope> => {
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
