/**
 * The commands of the API: they do something to the backends of a server, that of each group that has it, a few at a time, because each may
 * start a process.
 */
import type { Backend, CommandError } from "@mcp-lifeline/core"
import { Unknown } from "@mcp-lifeline/core/internal"
import { Effect, Fiber } from "effect"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import type { ChangedServer } from "./GatewayStatus.js"
import { serverStatus } from "./statusOf.js"

/** How many begin at once; a fleet connects as many. */
const atOnce = 8

/** What takes longer goes on while the next ones begin, so that servers that do not answer do not hold up the others. */
const turn = "2 seconds"

/** What became of it. The runtimes of clients that leave meanwhile do not count. */
export interface Outcome {
  readonly done: number
  readonly failures: ReadonlyArray<CommandError>
}

/** Ends when it is done, or has failed, for each of the runtimes. */
export const onEach = (
  runtimes: ReadonlyArray<Backend.Backend>,
  act: (backend: Backend.Backend) => Effect.Effect<void, CommandError>
): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const begun = yield* Effect.forEach(runtimes, (backend) =>
      Effect.gen(function*() {
        const outcome = act(backend).pipe(
          Effect.as("done" as const),
          Effect.catchAll((error) =>
            Effect.map(backend.status, ({ state }) => state === "Closed" ? "gone" as const : error)
          )
        )
        const fiber = yield* Effect.forkScoped(outcome)
        yield* Effect.timeoutOption(Fiber.await(fiber), turn)
        return fiber
      }), { concurrency: atOnce })
    const outcomes = yield* Fiber.join(Fiber.all(begun))
    return {
      done: outcomes.filter((outcome) => outcome === "done").length,
      failures: outcomes.filter((outcome) => typeof outcome === "object")
    }
  }))

/** Does something to each of them, and returns to how many it was done; if it fails for some, says for how many. */
const each =
  (act: (backend: Backend.Backend) => Effect.Effect<void, CommandError>) =>
  (backends: ReadonlyArray<Backend.Backend>): Effect.Effect<number, Api.ServerFailed> =>
    Effect.flatMap(onEach(backends, act), ({ done, failures }) => {
      const [first] = failures
      if (first === undefined) return Effect.succeed(done)
      const { error } = Api.serverFailed(first)
      if (backends.length === 1) return Effect.fail({ error })
      const message = `${failures.length} of ${backends.length} runtimes failed, ${done} succeeded: ${error.message}`
      return Effect.fail({ error: { code: error.code, message } })
    })

/** Fails if there is no server of this name; with `orWas` only if nothing is known of one that there was either. */
export const known = ({ record, servers }: Gateway, name: string, orWas = false): Effect.Effect<void, Api.NotFound> =>
  Effect.suspend(() => {
    const names = servers.servers().map(({ id }) => id)
    return names.includes(name) || (orWas && record.log.last(1, name).length > 0)
      ? Effect.void
      : Effect.fail(Api.notFound(Unknown.backend(name, names).message))
  })

type Commanded = Effect.Effect<ChangedServer, Api.NotFound | Api.ServerFailed>

/** Does something to the backends of a server, which is switched off or on before for groups to come. Gives its status after that. */
const command = <E>(
  gateway: Gateway,
  name: string,
  act: (backends: ReadonlyArray<Backend.Backend>) => Effect.Effect<number, E>,
  isOff?: boolean
) =>
  Effect.gen(function*() {
    const { servers } = gateway
    yield* known(gateway, name)
    const server = servers.servers().find(({ id }) => id === name)
    if (server !== undefined && isOff !== undefined) yield* servers.switch(server, isOff)
    const runtimesDone = yield* Effect.flatMap(servers.backends(name), act)
    const status = yield* serverStatus(gateway, name)
    return status.sessions === "shared" ? status : { ...status, runtimesDone }
  })

/** Connects each of them anew. */
export const reconnect = (gateway: Gateway, name: string): Commanded =>
  command(gateway, name, each(({ reconnect }) => reconnect))

/** Switches the server on for all who hold it, and for those to come. */
export const enable = (gateway: Gateway, name: string): Commanded =>
  command(gateway, name, each(({ enable }) => enable), false)

/** Switches the server off for all who hold it, and for those to come. */
export const disable = (gateway: Gateway, name: string): Effect.Effect<ChangedServer, Api.NotFound> =>
  command(
    gateway,
    name,
    (backends) =>
      Effect.as(
        Effect.forEach(backends, ({ disable }) => disable, { concurrency: "unbounded", discard: true }),
        backends.length
      ),
    true
  )
