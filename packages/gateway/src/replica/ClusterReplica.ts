/** Loaded only with the option `--cluster`. */
import {
  Cluster,
  ClusterServer,
  ClusterSessionRecords,
  ClusterState,
  KeyChange,
  LeasedConnector,
  PostgresStore,
  SessionHomes,
  SessionRouter,
  termsOf
} from "@mcp-lifeline/cluster"
import { kibibytes } from "@mcp-lifeline/core/text"
import * as Listener from "@mcp-lifeline/http-server/Listener"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { type Array, Effect, type Redacted, Schedule, type Scope } from "effect"
import { StartError } from "../text/Errors.js"
import * as Fibers from "../text/Fibers.js"
import * as ClusterFiles from "./clusterFiles.js"
import * as ClusterGateways from "./ClusterGateways.js"
import * as ClusterMetrics from "./ClusterMetrics.js"
import type { ClusterOptions } from "./ClusterOptions.js"
import { followed } from "./collections.js"
import type { Replica } from "./Replica.js"
import { told } from "./storeProblems.js"

/** What a client may send, and what replicas add to it. */
const maxHeaderBytes = kibibytes(32)

const optionNames = { host: "--cluster-address or --cluster-listen", port: "--cluster-address or --cluster-listen" }

const notFound = { status: 404, message: "This is for other replicas of the cluster" }

const lost = Effect.logWarning(
  "the lease of this replica has ended, so its servers and the sessions of its clients have, too; it takes new ones when it reaches the database"
)

const startError = ({ cause, message }: { readonly message: string; readonly cause?: unknown }): StartError =>
  new StartError({ message: `--cluster: ${message}`, cause })

/** Also what another run of a gateway has left sealed with other keys. Warns once, and tries again. */
const sealed = (options: KeyChange.Options, changed: (line: string) => Effect.Effect<void>) => {
  const complete = KeyChange.complete(options)
  return complete.pipe(
    Effect.catchAll(({ message }) =>
      Effect.zipRight(
        Effect.logWarning(
          `what replicas share is not sealed with the cluster keys yet, and it is tried again: ${message}`
        ),
        Effect.retry(complete, Schedule.spaced("2 seconds"))
      )
    ),
    Effect.tap((count) =>
      count === 0
        ? Effect.void
        : changed(`what the replicas share is sealed with the cluster keys of this one (sealed anew: ${count})`)
    )
  )
}

/** `key`: by which replicas know each other. `changed` gets a line where the keys are others than before. `id`: of this replica, at first. */
export const make = (
  { address, certificate, listen, store: given, terms: decided }: ClusterOptions,
  key: Array.NonEmptyReadonlyArray<Redacted.Redacted>,
  folder: StateFolder["Type"],
  changed: (line: string) => Effect.Effect<void>,
  id?: string
): Effect.Effect<Replica, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const url = yield* ClusterFiles.databaseUrl({ store: given })
    const tls = certificate === undefined ? undefined : yield* ClusterFiles.certificate(certificate)
    const listener = yield* Effect.mapError(
      Listener.listen({ ...listen, optionNames, tls, maxHeaderBytes }),
      startError
    )
    const terms = termsOf(decided)
    const postgres = yield* Effect.mapError(PostgresStore.make({ url, terms, key }), startError)
    const store = told(postgres)
    const ownAddress = address ?? listener.url
    const cluster = yield* Effect.mapError(
      Cluster.make({ store, key, id, address: ownAddress, terms }),
      startError
    )
    const { fork } = yield* Fibers.make()
    let handlePassed: SessionRouter.SessionRouter["handlePassed"] = SessionRouter.refusePassed
    const { membership, watchdog } = cluster
    const { gateways, handle, owned } = ClusterGateways.make({
      address: ownAddress,
      key,
      membership,
      failed: (error) => void fork(Effect.logError("a request of another replica failed inside this one", error))
    })
    yield* ClusterMetrics.follow(membership, ClusterGateways.shownId, ownAddress)
    yield* listener.serve((request, response, path) => {
      const isTheirs = cluster.handle(request, response, path) || handlePassed(request, response, path)
        || handle(request, response, path)
      if (!isTheirs) refuse(response, notFound)
    })
    yield* Effect.forkScoped(sealed({ store, prints: postgres.keys, key, followed }, changed))
    const state = yield* ClusterState.make({ store, key, membership, local: folder, followed })
    return {
      gateways,
      env: watchdog.env,
      state,
      records: yield* ClusterSessionRecords.make({ store, key }),
      own: (local) => LeasedConnector.make({ membership, local, watchdog }),
      shared: (server) => ClusterServer.make({ ...server, cluster, whileOwned: owned.own(server.name) }),
      leave: cluster.leave,
      sessions: (lapsed) =>
        Effect.map(SessionHomes.make(membership, store.sessions, Effect.zipLeft(lapsed, lost)), (homes) => ({
          home: homes,
          onEnded: (session) => void fork(Effect.ignore(homes.ended(session))),
          serve: (served) =>
            Effect.gen(function*() {
              const router = yield* SessionRouter.make({
                ...served,
                homes,
                key,
                onError: (error) => void fork(Effect.logError("a request of a client failed inside the gateway", error))
              })
              yield* Effect.acquireRelease(
                Effect.sync(() => {
                  handlePassed = router.handlePassed
                }),
                () =>
                  Effect.sync(() => {
                    handlePassed = SessionRouter.refusePassed
                  })
              )
              return router
            })
        }))
    }
  })
