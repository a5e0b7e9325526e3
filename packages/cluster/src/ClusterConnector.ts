/**
 * Connects to a server that runs once in the cluster: starts it here if this replica has it, and otherwise connects to the replica that has
 * it. So a backend with this connector is the same on every replica, and a change of the owner is a lost connection.
 */
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

/** How long a replica leaves a free server to each one that should take it before, in milliseconds. */
const patience = 200

/** How often a replica looks whether another one has taken the server that it has left, and for how long, in milliseconds. */
const [look, longest] = [100, 2000]

/** How long the connector waits at its end for a server that does not end, in milliseconds. Then the replica's lease has to end. */
const longestEnd = 10_000

/** What a connector needs. */
export interface Options {
  readonly membership: Membership
  readonly store: ClusterStore
  /** The name of the server, which is the same on all replicas. */
  readonly server: string
  /** Starts the server on this replica. */
  readonly local: Connector
  /** Whether this replica may take the server. Must not throw. Default: it may. */
  readonly mayTake?: (() => boolean) | undefined
  /** Connects to the server on the replica that has it. */
  readonly remote: (owner: Ownership) => Connector
  /** Runs while this replica has the server, whether it is connected or not, until its scope closes. */
  readonly whileOwned?: Effect.Effect<void, never, Scope.Scope> | undefined
  /** Called with the process id of a server that runs here, and when it has ended. Neither may throw. */
  readonly watch?: ((pid: number) => void) | undefined
  readonly unwatch?: ((pid: number) => void) | undefined
}

/** What this replica has taken. */
interface Taken {
  readonly id: string
  readonly generation: number
}

/** Whether nobody has answered. */
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

/** The connector of a server that runs once in the cluster. */
export interface ClusterConnector extends Connector {
  /** Whether this replica has the server. */
  readonly isHere: () => boolean
  /**
   * From the next connection on, leaves the server to another replica, if one takes it soon. Only when the server runs here: have the
   * backend reconnect then, which lets calls in flight finish. `isForGood`: this replica never takes it again.
   */
  readonly leave: (isForGood?: boolean) => void
  /** Serves the server to the others no more, and ends when nobody uses it any more that way. */
  readonly unserve: Effect.Effect<void>
}

/** Makes the connector. When the scope closes, this replica gives the server to the others: close the backend first. */
export const make = (
  { local, mayTake = () => true, membership, remote, server, store, unwatch, watch, whileOwned = Effect.void }: Options
): Effect.Effect<ClusterConnector, never, Scope.Scope> =>
  Effect.gen(function*() {
    let taken: Taken | undefined
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
    /** Begins to end what runs while this replica has the server. Nobody can interrupt that. */
    const disown = Effect.suspend(() => {
      const scope = ownership
      ownership = undefined
      return Effect.forkDaemon(
        Effect.uninterruptible(scope === undefined ? Effect.void : Scope.close(scope, Exit.void))
      )
    })

    const { connectUnder, stopped, ...here } = LeasedConnector.make({
      membership,
      local,
      watch,
      unwatch,
      onLapse: Effect.asVoid(disown)
    })

    /** Gives the server back once it has ended here. */
    const release = Effect.zipRight(
      Effect.zipRight(Effect.flatMap(disown, Fiber.await), stopped),
      Effect.suspend(() => {
        if (taken === undefined) return Effect.void
        const { generation, id } = taken
        taken = undefined
        return Effect.ignore(store.release(id, server, generation))
      })
    )
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(release), longestEnd))

    /** Takes a free server, unless a replica that should take it before does. */
    const take = (held: Held): Effect.Effect<Ownership | undefined, StoreError> =>
      Effect.gen(function*() {
        if (!mayTake()) return undefined
        const before = rank(server, held.id, membership.replicas().map(({ id }) => id), yield* store.loads)
        if (before > 0) yield* Effect.sleep(before * patience)
        const found = before > 0 ? yield* store.find(server) : undefined
        return found ?? (yield* store.claim(held.id, server))
      })

    /** Waits until the server has another owner than before, for a while. */
    const change = (before: Ownership | undefined) =>
      Effect.repeat(Effect.delay(store.find(server), look), {
        until: (found) => found?.owner !== before?.owner || found?.generation !== before?.generation,
        times: longest / look - 1
      })

    /** Waits until another replica has taken the server that nobody has, for a while, if there is another one. */
    const taking = Effect.suspend(() => membership.replicas().length > 1 ? change(undefined) : store.find(server))

    /** Who has the server; takes it if nobody does. */
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
        // Nobody here has taken it so, or may run it so: a claim was not answered, or a release was not.
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

    /** It cannot be reached at its owner: that may give it up, or have done so, or have gone, which is known when its lease has ended. */
    const anew = (found: Ownership, error: ConnectError): Effect.Effect<Option.Option<Connection>, ConnectError> =>
      Effect.gen(function*() {
        const next = yield* Effect.mapError(change(found), unreachable)
        if (next?.owner !== found.owner || next.generation !== found.generation) return Option.none()
        if (!isSilence(error)) return yield* error
        const gone = yield* Effect.timeoutOption(membership.ended(found.owner), longestSilence(membership.terms))
        return Option.isSome(gone) ? Option.none() : yield* error
      })

    /** One try; none if what was known about the owner does not hold any more. */
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
        taken = { id: held.id, generation: found.generation }
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
