/**
 * Connects to a server of what this replica owns, such as a client's session, only while it has its lease: another replica may start the
 * server afterwards.
 */
import type { ConnectError, Connection, ConnectOptions, Connector } from "@mcp-lifeline/core"
import { Effect, Exit, Option, Scope } from "effect"
import { endable } from "./endable.js"
import type { Held, Membership } from "./Membership.js"
import type { Watchdog } from "./Watchdog.js"

export interface Options {
  readonly membership: Membership
  readonly local: Connector
  /** Of a server that runs here. */
  readonly watchdog?: Pick<Watchdog, "group" | "gone"> | undefined
  /** When the lease lapses, before the server's connection ends. */
  readonly onLapse?: Effect.Effect<void> | undefined
}

/**
 * One server at a time: `connect` waits for the lease, and the end of the last one. The connection ends when the lease lapses, and then
 * refuses requests as not sent.
 */
export interface LeasedConnector extends Connector {
  /** None if the lease has lapsed. */
  readonly connectUnder: (
    held: Held,
    options: ConnectOptions
  ) => Effect.Effect<Option.Option<Connection>, ConnectError, Scope.Scope>
  /** When no server runs, starts or ends. */
  readonly stopped: Effect.Effect<void>
}

/** None if it has to be tried again. */
export type Try = Effect.Effect<Option.Option<Connection>, ConnectError, Scope.Scope>

/** What a try has acquired is released before the next one, and before `failed`. */
export const untilConnected = (
  attempt: Try,
  failed: Effect.Effect<void> = Effect.void
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.scopeWith((scope) =>
    Effect.gen(function*() {
      while (true) {
        const own = yield* Scope.fork(scope, scope.strategy)
        const found = yield* Effect.onExit(
          Scope.extend(attempt, own),
          (exit) =>
            Exit.isSuccess(exit)
              ? Option.isSome(exit.value) ? Effect.void : Scope.close(own, exit)
              : Effect.zipRight(Scope.close(own, exit), failed)
        )
        if (Option.isSome(found)) return found.value
      }
    })
  )

export const make = ({ local, membership, onLapse = Effect.void, watchdog }: Options): LeasedConnector => {
  const stopped = Effect.unsafeMakeLatch(true)
  const connectUnder: LeasedConnector["connectUnder"] = (held, options) =>
    Effect.gen(function*() {
      yield* stopped.await
      if (!held.isHeld()) return Option.none()
      yield* membership.running
      let pid: number | undefined
      // Released last: the process has ended then.
      yield* Effect.acquireRelease(stopped.close, () => stopped.open)
      yield* Effect.addFinalizer(() => Effect.sync(() => pid !== undefined && watchdog?.gone(pid)))
      const connection = yield* local.connect(options)
      pid = connection.peer.pid
      if (pid !== undefined) watchdog?.group(pid)
      const guarded = endable(connection, held.isHeld, () => {})
      const message = "this replica's lease has ended, so it has ended the server"
      const lapse = Effect.zipRight(held.lapsed, Effect.map(onLapse, () => guarded.end({ kind: "closed", message })))
      yield* Effect.forkScoped(Effect.interruptible(lapse))
      return Option.some(guarded.connection)
    })
  return {
    transport: local.transport,
    target: local.target,
    overlap: false,
    heartbeat: local.heartbeat,
    status: local.status,
    usageLimit: local.usageLimit,
    connect: (options) => untilConnected(Effect.flatMap(membership.held, (held) => connectUnder(held, options))),
    connectUnder,
    stopped: stopped.await
  }
}
