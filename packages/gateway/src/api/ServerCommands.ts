/**
 * The commands of the API. They act on all backends of a server, one for each group of clients that has it; only a few at a time, because
 * each may start a process.
 */
import type { Backend, CommandError } from "@mcp-lifeline/core"
import { Unknown } from "@mcp-lifeline/core/internal"
import { Pins } from "@mcp-lifeline/extensions"
import { Effect, Fiber, Option } from "effect"
import { notAllAllowed, notPinned } from "../known/Approvals.js"
import { clean } from "../Text.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import type { ApprovedServer, ChangedServer } from "./GatewayStatus.js"
import { serverStatus } from "./statusOf.js"

/** How many backends a command acts on at once; the same number as a fleet connects at once. */
const maxConcurrent = 8

/**
 * After this time, the next backend begins even if the previous one is not done, so that servers that do not answer do not delay the
 * others.
 */
const slowAfter = "2 seconds"

/** The outcome of a command. Runtimes of clients that leave in the meantime do not count. */
export interface Outcome {
  readonly done: number
  readonly failures: ReadonlyArray<CommandError>
}

/** Runs a command for each runtime. Ends when it has succeeded or failed for all. */
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

/** Runs a command for each backend. Returns for how many it succeeded; if any failed, fails with an error that says how many. */
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

/** Fails if there is no server of this name. With `includePast`, a server that the log still mentions counts, too. */
export const requireServer = (
  { record, servers }: Gateway,
  name: string,
  includePast = false
): Effect.Effect<void, Api.NotFound> =>
  Effect.suspend(() => {
    const names = servers.servers().map(({ id }) => id)
    return names.includes(name) || (includePast && record.log.last(1, name).length > 0)
      ? Effect.void
      : Effect.fail(Api.notFound(Unknown.backend(name, names).message))
  })

type CommandEffect = Effect.Effect<ChangedServer, Api.NotFound | Api.ServerFailed>

/** Disables or enables a server for new groups if `isOff` is given, then acts on its backends. Returns its status after that. */
const command = <E>(
  gateway: Gateway,
  name: string,
  act: (backends: ReadonlyArray<Backend.Backend>) => Effect.Effect<number, E>,
  isOff?: boolean
) =>
  Effect.gen(function*() {
    const { servers } = gateway
    yield* requireServer(gateway, name)
    const server = servers.servers().find(({ id }) => id === name)
    if (server !== undefined && isOff !== undefined) yield* servers.switch(server, isOff)
    const runtimesDone = yield* Effect.flatMap(servers.backends(name), act)
    const status = yield* serverStatus(gateway, name)
    return status.sessions === "shared" ? status : { ...status, runtimesDone }
  })

/** Reconnects the server, for all groups that have it. */
export const reconnect = (gateway: Gateway, name: string): CommandEffect =>
  command(gateway, name, each(({ reconnect }) => reconnect))

/** Enables the server for all groups, and for new ones. */
export const enable = (gateway: Gateway, name: string): CommandEffect =>
  command(gateway, name, each(({ enable }) => enable), false)

/** Disables the server for all groups, and for new ones. */
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

/**
 * Approves the definitions of tools as they are now, for all groups, which share what is approved. `allows`: whether the caller may use a tool;
 * default: each.
 */
export const approve = (
  gateway: Gateway,
  name: string,
  allows?: (tool: string) => boolean
): Effect.Effect<ApprovedServer, Api.NotFound> =>
  Effect.gen(function*() {
    yield* requireServer(gateway, name)
    const { servers } = gateway
    const server = servers.servers().find(({ id }) => id === name)
    const pins = server && (yield* servers.pins(server))
    if (pins === undefined) return yield* Effect.fail(Api.notFound(notPinned(name)))
    // The definitions of those whose approvals cannot be read are known to connections only.
    const backends = yield* Effect.forEach(
      yield* servers.backends(name),
      (backend) => Effect.map(backend.status, (status) => ({ backend, changes: Pins.statusOf(status)?.changes ?? [] }))
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
