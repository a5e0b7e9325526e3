/** Starts a server here if this replica has it, otherwise connects to its owner, whose change is a lost connection. */
import { ConnectError, type Connection, type ConnectOptions, type Connector } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import type { ClusterStore, Ownership, StoreError } from "./ClusterStore.js"
import { endable } from "./endable.js"
import * as LeasedConnector from "./LeasedConnector.js"
import { type Try, untilConnected } from "./LeasedConnector.js"
import type { Held, Membership } from "./Membership.js"
import { rank } from "./placement.js"
import { longestSilence } from "./Terms.js"
import type { Watchdog } from "./Watchdog.js"

/** How long a free server is left to each replica that should take it first, in milliseconds. */
const patience = 200

/** How often, and how long, to look whether another replica has a server, in milliseconds. */
const [look, longest] = [100, 2000]

/** How long closing waits for a server, in milliseconds. Then the replica's lease has to end. */
const longestEnd = 10_000

export interface Options {
  readonly membership: Membership
  readonly store: ClusterStore
  readonly server: string
  readonly local: Connector
  /** Must not throw. Default: it may. */
  readonly mayTake?: (() => boolean) | undefined
  readonly remote: (owner: Ownership) => Connector
  /** Runs while this replica has the server, connected or not, until its scope closes. */
  readonly whileOwned?: Effect.Effect<void, never, Scope.Scope> | undefined
  /** Of a server that runs here. */
  readonly watchdog?: Pick<Watchdog, "group" | "gone"> | undefined
}

const isSilence = ({ reason }: ConnectError): boolean =>
  reason === "refused" || reason === "unreachable" || reason === "timeout"

const unreachable = ({ cause, message }: StoreError): ConnectError =>
  new ConnectError({ backend: "", reason: "unreachable", permanent: false, message, cause })

const nobody = new ConnectError({
  backend: "",
  reason: "unreachable",
  permanent: true,
  message: "this replica stops, and no other one has taken the server"
})

export interface ClusterConnector extends Connector {
  readonly isHere: () => boolean
  /**
   * From the next connection on, leaves a server that runs here to another replica, if one takes it soon: have the backend reconnect, which
   * lets calls in flight finish. `isForGood`: never takes it again.
   */
  readonly leave: (isForGood?: boolean) => void
  readonly unserve: Effect.Effect<void>
}

/** When the scope closes, gives the server to the others: close the backend first. */
export const make = (
  { local, mayTake = () => true, membership, remote, server, store, watchdog, whileOwned = Effect.void }: Options
): Effect.Effect<ClusterConnector, never, Scope.Scope> =>
  Effect.gen(function*() {
    let taken: Ownership | undefined
    /** Who has the session that the backend offers to resume. */
    let hasSession: Ownership | undefined
    let leaves = false
    let isLast = false

    let ownership: Scope.CloseableScope | undefined
    const own = Effect.suspend(() => {
      if (ownership !== undefined) return Effect.void
      return Effect.flatMap(Scope.make(), (scope) => {
        ownership = scope
        return Scope.extend(whileOwned, scope)
      })
    })
    const disown = Effect.suspend(() => {
      const scope = ownership
      ownership = undefined
      const closed = scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
      return Effect.forkDaemon(Effect.uninterruptible(closed))
    })

    const { connectUnder, stopped, ...here } = LeasedConnector.make({
      membership,
      local,
      watchdog,
      onLapse: Effect.asVoid(disown)
    })

    const release = Effect.zipRight(
      Effect.zipRight(Effect.flatMap(disown, Fiber.await), stopped),
      Effect.suspend(() => {
        if (taken === undefined) return Effect.void
        const { generation, owner } = taken
        taken = undefined
        return Effect.ignore(store.release(owner, server, generation))
      })
    )
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(release), longestEnd))

    const take = (held: Held): Effect.Effect<Ownership | undefined, StoreError> =>
      Effect.gen(function*() {
        if (!mayTake()) return undefined
        const before = rank(server, held.id, membership.replicas().map(({ id }) => id), yield* store.loads)
        if (before > 0) yield* Effect.sleep(before * patience)
        const found = before > 0 ? yield* store.find(server) : undefined
        return found ?? (yield* store.claim(held.id, server))
      })

    const change = (before: Ownership | undefined) =>
      Effect.repeat(Effect.delay(store.find(server), look), {
        until: (found) => found?.owner !== before?.owner || found?.generation !== before?.generation,
        times: longest / look - 1
      })

    const taking = Effect.suspend(() => membership.replicas().length > 1 ? change(undefined) : store.find(server))

    const owner = (held: Held): Effect.Effect<Ownership | undefined, ConnectError> =>
      Effect.gen(function*() {
        const isLeft = leaves && taken !== undefined
        leaves = false
        const found = yield* isLeft ? Effect.zipRight(release, taking) : store.find(server)
        if (isLast) {
          const next = found ?? (yield* taking)
          if (next === undefined || next.owner === held.id) return yield* nobody
          return next
        }
        // Not taken here like this: a claim or a release was not answered.
        if (found?.owner === held.id && found.generation !== taken?.generation) {
          return yield* store.claim(held.id, server, found.generation)
        }
        return found ?? (yield* take(held))
      }).pipe(Effect.catchTag("StoreError", (error) => Effect.fail(unreachable(error))))

    const there = (found: Ownership, options: ConnectOptions) =>
      Effect.gen(function*() {
        const isSame = hasSession?.owner === found.owner && hasSession.generation === found.generation
        hasSession = undefined
        const resume = isSame ? options.resume : undefined
        const connection = yield* remote(found).connect({ ...options, resume })
        const guarded = endable(connection, () => true, () => {
          hasSession = found
        })
        const over = Effect.map(
          membership.ended(found.owner),
          () => guarded.end({ kind: "closed", message: "the replica that ran the server has gone" })
        )
        yield* Effect.forkScoped(Effect.interruptible(over))
        return guarded.connection
      })

    /** The owner may give it up, or have gone, which is known when its lease has ended. */
    const anew = (found: Ownership, error: ConnectError): Effect.Effect<Option.Option<Connection>, ConnectError> =>
      Effect.gen(function*() {
        const next = yield* Effect.mapError(change(found), unreachable)
        if (next?.owner !== found.owner || next.generation !== found.generation) return Option.none()
        if (!isSilence(error)) return yield* error
        const gone = yield* Effect.timeoutOption(membership.ended(found.owner), longestSilence(membership.terms))
        return Option.isSome(gone) ? Option.none() : yield* error
      })

    /** None if what was known about the owner does not hold any more. */
    const attempt = (options: ConnectOptions): Try =>
      Effect.gen(function*() {
        const held = yield* membership.held
        const found = yield* owner(held)
        if (found === undefined) return yield* Effect.as(Effect.sleep(look), Option.none())
        if (found.owner !== held.id) {
          const gone = Effect.as(membership.ended(found.owner), Option.none<Connection>())
          return yield* Effect.catchAll(
            firstOf(Effect.asSome(there(found, options)), gone),
            (error) => anew(found, error)
          )
        }
        taken = found
        yield* own
        return yield* connectUnder(held, { ...options, resume: undefined })
      })

    return {
      ...here,
      // If it cannot be started here, perhaps another replica can.
      connect: (options) => untilConnected(attempt(options), release),
      isHere: () => taken !== undefined,
      leave: (isForGood = false) => {
        leaves = taken !== undefined
        isLast ||= isForGood
      },
      unserve: Effect.asVoid(Effect.flatMap(disown, Fiber.await))
    }
  })
