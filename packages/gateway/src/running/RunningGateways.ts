/**
 * The gateways of this user that run now, so that other processes find them: each writes itself down in the state folder, and takes
 * itself out when it ends.
 */
import type { OptionNames, Options } from "@mcp-lifeline/http-server/Listener"
import type { ListenError } from "@mcp-lifeline/http-server/ListenError"
import { machine, processState, self } from "@mcp-lifeline/state/machine"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Predicate, Redacted, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { join } from "node:path"
import { StartError } from "../Errors.js"
import * as Proof from "./Proof.js"

/** A gateway as it is written down. */
export const RunningGateway = Schema.Struct({
  /** Without a path, as programs on this machine reach it. */
  url: Schema.String,
  pid: Schema.Int,
  /** When its process was started, in words of the system. */
  start: Schema.String,
  /** The file that its servers are read from; `null` for the demo. */
  config: Schema.NullOr(Schema.String),
  /** In milliseconds since 1970. */
  startedAt: Schema.Number,
  /** What it asks of each request. */
  token: Schema.NullOr(Schema.Redacted(Schema.String)),
  /** By which it shows that it wrote this. */
  secret: Schema.Redacted(Schema.String),
  machine: Schema.String,
  /** When it was last known to run, in milliseconds since 1970. */
  seenAt: Schema.Number
})
export type RunningGateway = typeof RunningGateway.Type

/** How often a gateway says that it runs, for machines that cannot look at its process. */
const sayInterval = "1 day"
/** Those of other machines, and of earlier boots of this one, that have not said so for so long are forgotten, in milliseconds. */
const forgottenAfter = 30 * 24 * 60 * 60 * 1000

const collection = Effect.map(StateFolder.StateFolder, (folder) => folder.collection("gateways", RunningGateway))

const keyOf = ({ pid, url }: Pick<RunningGateway, "pid" | "url">): string => StateFolder.key(machine, String(pid), url)

/** Addresses that stand for all of a machine are none to connect to. */
const reachable = (url: string): string => url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

/** Writes a gateway of this process down as long as the scope is open, and gives the file, which only this user can read. */
export const register = (
  gateway: Pick<RunningGateway, "url" | "config" | "startedAt" | "token" | "secret">
): Effect.Effect<string, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const gateways = yield* collection
    const entry = { ...gateway, ...yield* Effect.promise(self), url: reachable(gateway.url), machine }
    const key = keyOf(entry)
    const write = Effect.flatMap(Clock.currentTimeMillis, (seenAt) => gateways.set(key, { ...entry, seenAt }))
    yield* Effect.acquireRelease(write, () => gateways.remove(key))
    yield* Effect.forkScoped(Effect.interruptible(Effect.schedule(write, Schedule.spaced(sayInterval))))
    const { path } = yield* StateFolder.StateFolder
    return join(path, "gateways", `${key}.json`)
  })

/** The headers of a request to a gateway. */
export const headersOf = ({ token }: Pick<RunningGateway, "token">): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${Redacted.value(token)}` }

/** Those of this machine that run, and show at the address to ask that they are gateways of this user; not asked where there is none. */
const proven = (
  addressOf: (gateway: RunningGateway) => string | undefined
): Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const gateways = yield* collection
    const now = yield* Clock.currentTimeMillis
    const found = yield* Effect.forEach(yield* gateways.entries, ([key, gateway]) =>
      Effect.gen(function*() {
        if (gateway.machine !== machine) {
          if (now - gateway.seenAt > forgottenAfter) yield* gateways.remove(key)
          return []
        }
        if ((yield* Effect.promise(() => processState(gateway))) === "gone") {
          yield* gateways.remove(key)
          return []
        }
        const address = addressOf(gateway)
        if (address === undefined) return []
        return (yield* Effect.promise(() => Proof.isGiven(address, gateway.secret))) ? [gateway] : []
      }), { concurrency: 10 })
    return found.flat().toSorted((a, b) => a.startedAt - b.startedAt)
  })

/**
 * Those of this machine that run and show that they are gateways of this user, the oldest first. What a gateway left that ended without a
 * word is removed.
 */
export const running: Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> = proven(
  ({ url }) => url
)

/** The one that listens at a host and a port. Only gateways at this port are asked: what else listens there may never answer. */
export const at = (
  host: string,
  port: number
): Effect.Effect<RunningGateway | undefined, never, StateFolder.StateFolder> => {
  const address = reachable(`http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`)
  return Effect.map(proven(({ url }) => url.endsWith(`:${port}`) ? address : undefined), ([gateway]) => gateway)
}

/** What messages of the listener call its options: the flags of the commands. */
export const listenerOptionNames: OptionNames = { host: "--host", port: "--port" }

const isInUse = ({ cause }: ListenError): boolean => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

/** Fails with the command's error where a listener fails. If a gateway of this user has the port already, the message names it. */
export const explainPortInUse =
  ({ host, port }: Pick<Options, "host" | "port">) =>
  <A, R>(listen: Effect.Effect<A, ListenError, R>): Effect.Effect<A, StartError, R | StateFolder.StateFolder> =>
    Effect.catchAll(listen, (error) =>
      Effect.gen(function*() {
        const gateway = isInUse(error) ? yield* at(host, port) : undefined
        if (gateway === undefined) return yield* new StartError({ message: error.message, cause: error.cause })
        const { config, pid, url } = gateway
        const message = `port ${port} on ${host} is in use by your own gateway (pid ${pid}, ${config ?? "the demo"}); `
          + `see it with mcp-lifeline status --url ${url}, stop it, or give another port with --port (0 for any)`
        return yield* new StartError({ message, cause: error.cause })
      }))
