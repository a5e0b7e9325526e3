/**
 * The running gateways of this user, so that other processes find them: each registers itself in the state folder, and removes itself when it
 * ends.
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

/** A gateway as the state folder has it. */
export const RunningGateway = Schema.Struct({
  /** The URL under which programs on this machine reach it, without a path. */
  url: Schema.String,
  pid: Schema.Int,
  /** What tells its process from others with the same id: when it was started, as the system writes it, or on Windows its pipe. */
  start: Schema.String,
  /** The configuration file; `null` if there is none. */
  config: Schema.NullOr(Schema.String),
  /** Whether it is a replica of a cluster: whichever replica is asked speaks for all. */
  inCluster: Schema.optional(Schema.Boolean),
  /** In milliseconds since 1970. */
  startedAt: Schema.Number,
  /** The token that each request needs. */
  token: Schema.NullOr(Schema.Redacted(Schema.String)),
  /** The secret with which it proves that it wrote this. */
  secret: Schema.Redacted(Schema.String),
  machine: Schema.String,
  /** When it last confirmed that it runs, in milliseconds since 1970. */
  seenAt: Schema.Number
})
export type RunningGateway = typeof RunningGateway.Type

/** How often a gateway confirms that it runs, for other machines, which cannot check its process. */
const confirmInterval = "1 day"
/** After this time without a confirmation, entries of other machines and of earlier boots of this one are removed, in milliseconds. */
const expiresAfter = 30 * 24 * 60 * 60 * 1000

const collection = Effect.map(StateFolder.StateFolder, (folder) => folder.collection("gateways", RunningGateway))

const keyOf = ({ pid, url }: Pick<RunningGateway, "pid" | "url">): string => StateFolder.key(machine, String(pid), url)

/** The URL under which programs on this machine reach a gateway: a wildcard address, to which nobody can connect, is replaced by loopback. */
export const reachable = (url: string): string =>
  url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

export interface Registered {
  /** The path of its file, which only this user can read. */
  readonly file: string
  /** Writes the token that each request needs now. */
  readonly setToken: (token: RunningGateway["token"]) => Effect.Effect<void>
}

/** Registers a gateway of this process until the scope closes. */
export const register = (
  gateway: Pick<RunningGateway, "url" | "config" | "inCluster" | "startedAt" | "token" | "secret">
): Effect.Effect<Registered, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const gateways = yield* collection
    const entry = { ...gateway, ...yield* Effect.promise(self), url: reachable(gateway.url), machine }
    const key = keyOf(entry)
    let { token } = gateway
    const write = Effect.flatMap(
      Clock.currentTimeMillis,
      (seenAt) => gateways.set(key, { ...entry, token, seenAt })
    )
    yield* Effect.acquireRelease(write, () => gateways.remove(key))
    yield* Effect.forkScoped(Effect.interruptible(Effect.schedule(write, Schedule.spaced(confirmInterval))))
    const { path } = yield* StateFolder.StateFolder
    return {
      file: join(path, "gateways", `${key}.json`),
      setToken: (next) =>
        Effect.suspend(() => {
          token = next
          return write
        })
    }
  })

export const headersOf = ({ token }: Pick<RunningGateway, "token">): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${Redacted.value(token)}` }

/**
 * The gateways of this machine that run and prove, at the address that `addressOf` returns, that they belong to this user. Skips a gateway for
 * which it returns `undefined`.
 */
const proven = (
  addressOf: (gateway: RunningGateway) => string | undefined
): Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const gateways = yield* collection
    const now = yield* Clock.currentTimeMillis
    const found = yield* Effect.forEach(yield* gateways.entries, ([key, gateway]) =>
      Effect.gen(function*() {
        if (gateway.machine !== machine) {
          if (now - gateway.seenAt > expiresAfter) yield* gateways.remove(key)
          return []
        }
        if ((yield* Effect.promise(() => processState(gateway))) === "gone") {
          yield* gateways.remove(key)
          return []
        }
        const address = addressOf(gateway)
        if (address === undefined) return []
        return (yield* Effect.promise(() => Proof.isProven(address, gateway.secret))) ? [gateway] : []
      }), { concurrency: 10 })
    return found.flat().toSorted((a, b) => a.startedAt - b.startedAt)
  })

/**
 * The running gateways of this user on this machine, the oldest first. Removes the entries of gateways that have crashed.
 */
export const running: Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> = proven(
  ({ url }) => url
)

/**
 * The gateway that listens at a host and a port. Only contacts the port if a gateway is registered for it: another program may never
 * answer.
 */
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
        const message =
          `port ${port} on ${host} is in use by your own gateway (pid ${pid}, ${config ?? "without a file"}); `
          + `see it with mcp-lifeline status --url ${url}, stop it, or give another port with --port (0 for any)`
        return yield* new StartError({ message, cause: error.cause })
      }))
