/**
 * Commands act on all backends of a server, one for each group of clients; only a few at a time, because each may start a process.
 */
import type { Backend, CommandError } from "@mcp-lifeline/core"
import { Unknown } from "@mcp-lifeline/core/internal"
import { Pins } from "@mcp-lifeline/extensions"
import { Effect, Fiber, Option } from "effect"
import { notAllAllowed, notPinned } from "../cache/Approvals.js"
import type { Server } from "../config/Backends.js"
import { clean } from "../text/Text.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import type { ApprovedServer, ChangedServer } from "./GatewayStatus.js"
import { serverStatus } from "./statusOf.js"

/** As many as a fleet connects at once. */
const maxConcurrent = 8

/** After this time the next backend begins anyway, so that servers that do not answer do not delay the others. */
const slowAfter = "2 seconds"

/** Without runtimes of clients that left meanwhile. */
export interface Outcome {
  readonly done: number
  readonly failures: ReadonlyArray<CommandError>
}

/** Ends when it has succeeded or failed for all. */
export const onEach = (
  runtimes: ReadonlyArray<Backend.Backend>,
  act: (backend: Backend.Backend) => Effect.Effect<void, CommandError>
): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const fibers = yield* Effect.forEach(runtimes, (backend) =>
      Effect.gen(function*() {
        const outcome = act(backend).pipe(
          Effect.as("done" as const),
          Effect.catchAll((error) =>
            Effect.map(backend.status, ({ state }) => state === "Closed" ? "gone" as const : error)
          )
        )
        const fiber = yield* Effect.forkScoped(outcome)
        yield* Effect.timeoutOption(Fiber.await(fiber), slowAfter)
        return fiber
      }), { concurrency: maxConcurrent })
    const outcomes = yield* Fiber.join(Fiber.all(fibers))
    return {
      done: outcomes.filter((outcome) => outcome === "done").length,
      failures: outcomes.filter((outcome) => typeof outcome === "object")
    }
  }))

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

export const requireServer = ({ servers }: Gateway, name: string): Effect.Effect<Server, Api.NotFound> =>
  Effect.suspend(() => {
    const all = servers.servers()
    const server = all.find(({ id }) => id === name)
    return server === undefined
      ? Effect.fail(Api.notFound(Unknown.backend(name, all.map(({ id }) => id)).message))
      : Effect.succeed(server)
  })

/** `isOff` disables or enables the server for new groups. */
const command = <E>(
  gateway: Gateway,
  act: (backends: ReadonlyArray<Backend.Backend>) => Effect.Effect<number, E>,
  isOff?: boolean
) =>
(name: string): Effect.Effect<ChangedServer, E | Api.NotFound> =>
  Effect.gen(function*() {
    const { servers } = gateway
    const server = yield* requireServer(gateway, name)
    if (isOff !== undefined) yield* servers.switch(server, isOff)
    const runtimesDone = yield* Effect.flatMap(servers.backends(name), act)
    const status = yield* serverStatus(gateway, name)
    return status.sessions === "shared" ? status : { ...status, runtimesDone }
  })

const disableAll = (backends: ReadonlyArray<Backend.Backend>): Effect.Effect<number> =>
  Effect.as(
    Effect.forEach(backends, ({ disable }) => disable, { concurrency: "unbounded", discard: true }),
    backends.length
  )

/** For all groups, which share what is approved. */
const approve =
  (gateway: Gateway) =>
  (name: string, allows?: (tool: string) => boolean): Effect.Effect<ApprovedServer, Api.NotFound> =>
    Effect.gen(function*() {
      const { servers } = gateway
      const pins = yield* servers.pins(yield* requireServer(gateway, name))
      if (pins === undefined) return yield* Effect.fail(Api.notFound(notPinned(name)))
      // Where approvals cannot be read, only connections know the definitions.
      const backends = yield* Effect.forEach(
        yield* servers.backends(name),
        (backend) =>
          Effect.map(backend.status, (status) => ({ backend, changes: Pins.statusOf(status)?.changes ?? [] }))
      )
      const knowing = backends.toSorted((one, other) => other.changes.length - one.changes.length)
      if (allows !== undefined) {
        const changes = [pins.status, ...knowing].flatMap((one) => one.changes)
        const isAllowed = pins.status.unreadable === undefined && changes.every(({ tool }) => allows(tool))
        if (!isAllowed) return yield* Effect.fail(Api.notFound(notAllAllowed(name)))
      }
      const pinned = [...knowing.flatMap(({ backend }) => Option.toArray(Pins.of(backend))), pins]
      const approved = yield* Effect.forEach(pinned, ({ approve }) => approve)
      return { ...yield* serverStatus(gateway, name), approved: [...new Set(approved.flat())].map(clean) }
    })

export const make = (gateway: Gateway) => ({
  reconnect: command(gateway, each(({ reconnect }) => reconnect)),
  enable: command(gateway, each(({ enable }) => enable), false),
  disable: command(gateway, disableAll, true),
  approve: approve(gateway)
})
