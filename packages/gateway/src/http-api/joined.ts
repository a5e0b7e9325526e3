import { Either } from "effect"
import type { ReplicaName } from "../replica/Gateways.js"
import type { GatewayStatus, Replica, Server } from "./GatewayStatus.js"

export interface Part {
  readonly replica: ReplicaName
  /** From when on it is reached, or not, in milliseconds since 1970. */
  readonly since: number
  /** Its own status, or why it is not reached. */
  readonly said: Either.Either<GatewayStatus, string>
}

const serversOf = ({ said }: Part): ReadonlyArray<Server> => Either.isRight(said) ? said.right.servers : []

export const serverOn = (part: Part, name: string): Server | undefined =>
  serversOf(part).find((server) => server.name === name)

/** If two replicas say that they have the server, one does not know yet that it has lost it. */
export const ownerOf = (parts: ReadonlyArray<Part>, name: string): Part | undefined => {
  const since = (part: Part): number => serverOn(part, name)?.owner?.since ?? -1
  return parts.filter((part) => since(part) >= 0).toSorted((one, other) => since(other) - since(one))[0]
}

/** Its owner; without one, the first that knows the server. */
export const shownOn = (parts: ReadonlyArray<Part>, name: string): Part | undefined =>
  ownerOf(parts, name) ?? parts.find((part) => serverOn(part, name) !== undefined)

/** Not connected, and should be. */
const needsHelp: ReadonlySet<Server["state"]> = new Set([
  "PermanentlyFailed",
  "SignInNeeded",
  "Dormant",
  "Reconnecting"
])

export const isStuck = (part: Part, name: string): boolean => {
  const server = serverOn(part, name)
  return server !== undefined && needsHelp.has(server.state)
}

/** As `shown` says, with what is wrong on the others. */
export const serverAsShown = <S extends Server>(parts: ReadonlyArray<Part>, shown: Part, server: S): S => {
  const warnings = parts.flatMap((part) => {
    const { id } = part.replica
    const { lastError, newerOn, state } = serverOn(part, server.name) ?? {}
    return [
      ...(part === shown || !isStuck(part, server.name)
        ? []
        : [`on the replica ${id} it is ${state}${lastError === undefined ? "" : `: ${lastError.message}`}`]),
      ...(newerOn === undefined
        ? []
        : [`the replica ${id} has an older configuration of it; that of the replica at ${newerOn} counts`])
    ]
  })
  return { ...server, warnings: [...server.warnings, ...warnings] }
}

const replicaOf = ({ replica: { address, id }, said, since }: Part, index: number): Replica => {
  const name = { id, address, isHere: index === 0 }
  if (Either.isLeft(said)) return { ...name, state: "not reached", since, problem: said.left }
  const { gateway: { clients, startedAt, version }, servers } = said.right
  const owned = servers.filter(({ owner }) => owner !== undefined).map((server) => server.name)
  return { ...name, state: "reached", since, startedAt, version, clients, servers: owned }
}

/** `parts`: first the replica that was asked, whose own status is `own`. Servers that only others have come last. */
export const joined = ({ gateway }: GatewayStatus, parts: ReadonlyArray<Part>): GatewayStatus => {
  const names = new Set(parts.flatMap(serversOf).map(({ name }) => name))
  return {
    gateway,
    replicas: parts.map(replicaOf),
    servers: [...names].flatMap((name) => {
      const shown = shownOn(parts, name)
      const server = shown && serverOn(shown, name)
      return shown === undefined || server === undefined ? [] : [serverAsShown(parts, shown, server)]
    })
  }
}
