/**
 * The gateways of this user that run now, so that other processes find them: each writes itself down in the state folder, and takes
 * itself out when it ends.
 */
import { Effect, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { join } from "node:path"
import { isRunning, machine } from "./machine.js"
import * as StateFolder from "./StateFolder.js"

/** A gateway as it is written down. */
export const RunningGateway = Schema.Struct({
  /** Without a path, as programs on this machine reach it. */
  url: Schema.String,
  pid: Schema.Int,
  /** The file that its servers are read from; `null` for the demo. */
  config: Schema.NullOr(Schema.String),
  /** In milliseconds since 1970. */
  startedAt: Schema.Number,
  /** What it asks of each request. */
  token: Schema.NullOr(Schema.Redacted(Schema.String)),
  machine: Schema.String
})
export type RunningGateway = typeof RunningGateway.Type

/** How long a gateway has to say that it is alive, in milliseconds. On a busy machine that takes seconds. */
const patience = 20_000

const collection = Effect.map(StateFolder.StateFolder, (folder) => folder.collection("gateways", RunningGateway))

const keyOf = ({ pid, url }: Pick<RunningGateway, "pid" | "url">): string => StateFolder.key(machine, String(pid), url)

/** Addresses that stand for all of a machine are none to connect to. */
const reachable = (url: string): string => url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")

/** Writes a gateway down as long as the scope is open, and gives the file, which only this user can read. */
export const register = (
  gateway: Omit<RunningGateway, "machine">
): Effect.Effect<string, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const gateways = yield* collection
    const entry = { ...gateway, url: reachable(gateway.url), machine }
    const key = keyOf(entry)
    yield* Effect.acquireRelease(gateways.set(key, entry), () => gateways.remove(key))
    const { path } = yield* StateFolder.StateFolder
    return join(path, "gateways", `${key}.json`)
  })

/** The headers of a request to a gateway. */
export const headersOf = ({ token }: Pick<RunningGateway, "token">): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${Redacted.value(token)}` }

const answers = (gateway: RunningGateway): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fetch(`${gateway.url}/health`, { headers: headersOf(gateway), signal: AbortSignal.timeout(patience) }).then(
      ({ ok }) => ok,
      () => false
    )
  )

/** Those that run and answer, the oldest first. What a gateway left that ended without a word is removed. */
export const running: Effect.Effect<ReadonlyArray<RunningGateway>, never, StateFolder.StateFolder> = Effect.gen(
  function*() {
    const gateways = yield* collection
    const found = yield* Effect.forEach(yield* gateways.entries, ([key, gateway]) => {
      if (gateway.machine !== machine) return Effect.succeed([])
      return isRunning(gateway.pid)
        ? Effect.map(answers(gateway), (isAlive) => isAlive ? [gateway] : [])
        : Effect.as(gateways.remove(key), [])
    }, { concurrency: 10 })
    return found.flat().toSorted((a, b) => a.startedAt - b.startedAt)
  }
)
