/**
 * The gateways of a cluster, over its membership and the listener for other replicas.
 */
import { type ClusterKeys, type Membership, ReplicaPaths } from "@mcp-lifeline/cluster"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Gateways, ReplicaName } from "./Gateways.js"
import { OwnedServers } from "./OwnedServers.js"

/** What they need. */
export interface Options {
  readonly key: ClusterKeys
  /** Where the other replicas reach this one. */
  readonly address: string
  readonly membership: Membership.Membership
}

/** See the head of the file. */
export interface ClusterGateways {
  readonly gateways: Gateways
  readonly owned: OwnedServers
  /** Answers requests of other replicas. True if the path is one of theirs. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

/** How much of its id names a replica. */
const idShown = 8

/** The part of an id that names a replica. */
export const shownId = (id: string): string => id.slice(0, idShown)

const prefix = "/cluster/gateway"

const starting = { status: 503, message: "This replica is starting or stopping" }

/** Throws a RangeError if the key is too short. */
export const make = ({ address, key, membership }: Options): ClusterGateways => {
  const paths = ReplicaPaths.make(key, prefix)
  const owned = new OwnedServers()
  const notYet: Handler = (_request, response) => refuse(response, starting)
  let answer = notYet
  const nameOf = ({ address, id }: ReplicaName): ReplicaName => ({ id: shownId(id), address })
  return {
    owned,
    handle: (request, response, path) => paths.handle(request, response, path, answer),
    gateways: {
      own: () => nameOf({ id: membership.id(), address }),
      others: () => membership.replicas().filter(({ id }) => id !== membership.id()).map(nameOf),
      ownedSince: (server) => owned.since(server),
      passedTo: (server) => owned.passed(server),
      prefix,
      authorization: paths.authorization,
      answer: (handler) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            answer = handler
          }),
          () =>
            Effect.sync(() => {
              answer = notYet
            })
        )
    }
  }
}
