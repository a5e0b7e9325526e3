import { type ClusterKeys, type Membership, ReplicaPaths } from "@mcp-lifeline/cluster"
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { isPath } from "@mcp-lifeline/sign-in/PublicRedirects"
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Gateways, ReplicaName } from "./Gateways.js"
import { OwnedServers } from "./OwnedServers.js"

export interface Options {
  readonly key: ClusterKeys
  readonly address: string
  readonly membership: Membership.Membership
  /** Called with each internal failure. Must not throw. */
  readonly failed: (error: unknown) => void
}

export interface ClusterGateways {
  readonly gateways: Gateways
  readonly owned: OwnedServers
  /** True if the path is one of the other replicas. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

const idShown = 8

export const shownId = (id: string): string => id.slice(0, idShown)

const [prefix, loginPrefix] = ["/cluster/gateway", "/cluster/logins"] as const

const noLogin = { status: 404, message: "This is no page of a login" }

const starting = { status: 503, message: "This replica is starting or stopping" }

/** Throws a RangeError if the key is too short. */
export const make = ({ address, failed, key, membership }: Options): ClusterGateways => {
  const options = { keys: key, own: membership.id, failed }
  const paths = ReplicaPaths.make(options, prefix)
  const logins = ReplicaPaths.make({ ...options, purpose: "login" }, loginPrefix)
  const owned = new OwnedServers()
  const notYet: Handler = (_request, response) => refuse(response, starting)
  let answer = notYet
  const answerLogin: Handler = (request, response, path) =>
    isPath(path) ? answer(request, response, path) : refuse(response, noLogin)
  /** A replica whose address is not sealed is asked nothing. */
  const others = () =>
    membership.replicas().flatMap(({ address, id }) =>
      id === membership.id() || address === undefined ? [] : [{ id, address }]
    )
  /** One that has gone answers to its name no more. */
  const receiverOf = (name: ReplicaName): ReplicaName =>
    others().find(({ address, id }) => shownId(id) === name.id && address === name.address) ?? name
  const nameOf = ({ address, id }: ReplicaName): ReplicaName => ({ id: shownId(id), address })
  return {
    owned,
    handle: (request, response, path) =>
      paths.handle(request, response, path, answer) || logins.handle(request, response, path, answerLogin),
    gateways: {
      own: () => nameOf({ id: membership.id(), address }),
      others: () => others().map(nameOf),
      ownedSince: (server) => owned.since(server),
      api: (replica) => paths.to(receiverOf(replica)),
      logins: (replica) => logins.to(receiverOf(replica)),
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
