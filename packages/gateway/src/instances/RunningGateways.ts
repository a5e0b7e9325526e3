import type { Options } from "@mcp-lifeline/http-server/Listener"
import type { ListenError } from "@mcp-lifeline/http-server/ListenError"
import { machine, processState, self } from "@mcp-lifeline/state/machine"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Predicate, Redacted, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { join } from "node:path"
import { StartError } from "../text/Errors.js"
import * as Proof from "./Proof.js"

export const RunningGateway = Schema.Struct({
  /** Without a path. */
  url: Schema.String,
  pid: Schema.Int,
  /** Against reused ids: its start as the system writes it, or on Windows its pipe. */
  start: Schema.String,
  config: Schema.NullOr(Schema.String),
  /** Any replica speaks for all. */
  inCluster: Schema.optional(Schema.Boolean),
  /** In milliseconds since 1970. */
  startedAt: Schema.Number,
  token: Schema.NullOr(Schema.Redacted(Schema.String)),
  secret: Schema.Redacted(Schema.String),
  machine: Schema.String,
  /** In milliseconds since 1970. */
  seenAt: Schema.Number
})
export type RunningGateway = typeof RunningGateway.Type

/** For other machines, which cannot check the process. */
const confirmInterval = "1 day"
/** In milliseconds, for entries of other machines and of earlier boots. */
const expiresAfter = 30 * 24 * 60 * 60 * 1000

const collection = Effect.map(StateFolder.StateFolder, (folder) => folder.collection("gateways", RunningGateway))

const keyOf = ({ pid, url }: Pick<RunningGateway, "pid" | "url">): string => StateFolder.key(machine, String(pid), url)

/** Nobody can connect to a wildcard address. */
export const reachable = (url: string): string =>
  url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

export interface Registered {
  /** Only this user can read it. */
  readonly file: string
  readonly setToken: (token: RunningGateway["token"]) => Effect.Effect<void>
}

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

/** Those that prove at `addressOf` that they belong to this user. */
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

/** The oldest first. Removes the entries of crashed gateways. */
export const running: Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> = proven(
  ({ url }) => url
)

/** Contacts the port only if a gateway is registered: another program may never answer. */
export const at = (
  host: string,
  port: number
): Effect.Effect<RunningGateway | undefined, never, StateFolder.StateFolder> => {
  const address = reachable(`http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`)
  return Effect.map(proven(({ url }) => url.endsWith(`:${port}`) ? address : undefined), ([gateway]) => gateway)
}

const isInUse = ({ cause }: ListenError): boolean => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

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
