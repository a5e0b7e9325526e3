/**
 * Whichever replica is asked speaks for all.
 */
import { Unknown } from "@mcp-lifeline/core/internal"
import { Effect, Either, Fiber, Option, Scope, Stream } from "effect"
import type { Gateways } from "../replica/Gateways.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import type { ChangedServer, GatewayStatus, Server, ServerDetails } from "./GatewayStatus.js"
import { joined, needsHelp, ownerOf, type Part } from "./joined.js"
import * as Alone from "./Operations.js"
import * as OtherGateways from "./OtherGateways.js"
import * as OtherLogs from "./OtherLogs.js"
import { requireServer } from "./ServerCommands.js"

/** Between two questions to the others, in milliseconds. */
const pause = 2000

/** How often it looks whether a replica that carries out a command has gone, in milliseconds. */
const look = 500

type Action = "reconnect" | "enable" | "disable"

type CommandError = Api.NotFound | Api.ServerFailed

const isReached = ({ problem }: Part): boolean => problem === undefined

const stateOn = ({ status }: Part, name: string): Server["state"] | undefined =>
  status?.servers.find((server) => server.name === name)?.state

const unavailable = (message: string): Api.ServerFailed => ({ error: { code: "unavailable", message } })

/** Asks others until the scope closes, while somebody follows. */
export const make = (
  gateway: Gateway,
  gateways: Gateways
): Effect.Effect<Alone.Operations, never, Scope.Scope> =>
  Effect.gen(function*() {
    const alone = Alone.make(gateway)
    const others = OtherGateways.make(gateways)
    const logs = yield* OtherLogs.make(others, gateways.others)

    const here = Effect.map(alone.status, (status) => ({
      replica: gateways.own(),
      since: gateway.startedAt,
      problem: undefined,
      status
    }))
    const statusNow = Effect.map(here, (own) => joined(own, others.last()))
    const status = Effect.zipRight(others.look, statusNow)

    let followers = 0
    let following: Fiber.RuntimeFiber<never> | undefined
    const scope = yield* Effect.scope
    const lookAtAll = Effect.zipRight(others.look, logs.look, { concurrent: true })
    const follow = Effect.gen(function*() {
      yield* Effect.acquireRelease(
        Effect.suspend(() => {
          if (followers++ > 0) return Effect.void
          const loop = Effect.forever(Effect.delay(lookAtAll, pause))
          const begun = Effect.zipRight(logs.forget, Effect.forkIn(Effect.interruptible(loop), scope))
          return Effect.map(begun, (fiber) => {
            following = fiber
          })
        }),
        () =>
          Effect.suspend(() => {
            if (--followers > 0 || following === undefined) return Effect.void
            const fiber = following
            following = undefined
            return Fiber.interruptFork(fiber)
          })
      )
      yield* lookAtAll
    })

    const gone = (part: Part) =>
      Effect.repeat(Effect.sleep(look), {
        until: () => !gateways.others().some(({ id }) => id === part.replica.id)
      }).pipe(Effect.zipRight(Effect.fail(unavailable("the replica has gone; try again"))))

    const on = (part: Part, action: Action, name: string): Effect.Effect<ChangedServer, CommandError> => {
      if (part.replica.id === gateways.own().id) return alone[action](name)
      const asked = part.problem === undefined
        ? others.ask(part.replica, ({ servers }) => servers[action]({ path: { name } }))
        : Effect.fail(new OtherGateways.NotReached(part.problem))
      return Effect.raceFirst(asked, gone(part)).pipe(Effect.mapError((error): CommandError => {
        const place = `on the replica ${part.replica.id} at ${part.replica.address}`
        if (error instanceof OtherGateways.NotReached) {
          return unavailable(`${place}, which is not reached: ${error.problem}`)
        }
        if (!("error" in error)) return unavailable(`${place}: ${error.message}`)
        const { code, message } = error.error
        if (code === "not_found") return Api.notFound(message)
        return { error: { code: code === "bad_request" ? "server_error" : code, message: `${place}: ${message}` } }
      }))
    }

    /** `done`: for how many runtimes it succeeded. */
    const changed = (name: string, done: number): Effect.Effect<ChangedServer, Api.NotFound> =>
      Effect.flatMap(status, ({ servers }) => {
        const server = servers.find((one) => one.name === name)
        if (server === undefined) {
          return Effect.fail(Api.notFound(Unknown.backend(name, servers.map((one) => one.name)).message))
        }
        return Effect.succeed(server.sessions === "shared" ? server : { ...server, runtimesDone: done })
      })

    /** Replicas whose files do not name the server do not count. */
    const onAll = (parts: ReadonlyArray<Part>, action: Action, name: string) =>
      Effect.gen(function*() {
        const all = yield* Effect.forEach(parts, (part) => Effect.either(on(part, action, name)), {
          concurrency: "unbounded"
        })
        const failures = all.flatMap((one) =>
          Either.isLeft(one) && one.left.error.code !== "not_found" ? [one.left] : []
        )
        const done = all.flatMap((one) => Either.isRight(one) ? [one.right] : [])
        const [first] = failures
        if (first === undefined) {
          return yield* changed(
            name,
            done.reduce((sum, one) => sum + (one.runtimesDone ?? 0), 0)
          )
        }
        if (parts.length === 1) return yield* Effect.fail<CommandError>(first)
        const { code, message } = first.error
        return yield* Effect.fail<CommandError>({
          error: { code, message: `${failures.length} of ${parts.length} replicas failed: ${message}` } as never
        })
      })

    const partsNow = Effect.zipRight(
      others.look,
      Effect.map(here, (own): ReadonlyArray<Part> => [own, ...others.last()])
    )

    const reconnect = (name: string): Effect.Effect<ChangedServer, CommandError> =>
      Effect.gen(function*() {
        yield* requireServer(gateway, name)
        const reached = (yield* partsNow).filter(isReached)
        const owner = ownerOf(reached, name)
        if (owner === undefined) return yield* onAll(reached, "reconnect", name)
        yield* on(owner, "reconnect", name)
        const stuck = reached.filter((part) => {
          const state = stateOn(part, name)
          return part !== owner && state !== undefined && needsHelp.has(state)
        })
        yield* Effect.forEach(stuck, (part) => Effect.ignore(on(part, "reconnect", name)), {
          concurrency: "unbounded",
          discard: true
        })
        return yield* changed(name, 0)
      })

    /** Replicas that are not reached, or start later, read it from what all replicas keep. */
    const switchAll = (action: "enable" | "disable") => (name: string): Effect.Effect<ChangedServer, CommandError> =>
      Effect.gen(function*() {
        yield* requireServer(gateway, name)
        const server = gateway.servers.servers().find(({ id }) => id === name)
        const isKept = server !== undefined && (yield* gateway.servers.switchAll(server, action === "disable"))
        const parts = yield* partsNow
        return yield* onAll(isKept ? parts.filter(isReached) : parts, action, name)
      })

    const detailsOn = ({ replica }: Part, name: string): Effect.Effect<ServerDetails | undefined> =>
      Effect.orElseSucceed(
        others.askSoon(replica, ({ servers }) => servers.server({ path: { name } })),
        () => undefined
      )

    const runtimesOn = (part: Part, name: string) =>
      Effect.map(
        detailsOn(part, name),
        (details) => (details?.runtimes ?? []).map((one) => ({ ...one, replica: part.replica.id }))
      )

    return {
      status,
      statusNow,
      follow,
      server: (name) =>
        Effect.gen(function*() {
          const own = yield* Effect.either(alone.server(name))
          const { servers }: GatewayStatus = yield* status
          const server = servers.find((one) => one.name === name)
          if (server === undefined) return yield* Either.isLeft(own) ? Effect.fail(own.left) : own
          // In full, as the replica says that has the server: the status of all is shortened.
          const owning = others.last().find((part) => isReached(part) && part.replica.id === server.owner?.replica)
          const known = server.pins === undefined || owning === undefined
            ? Option.getOrUndefined(Either.getRight(own))
            : yield* detailsOn(owning, name)
          const details = known?.pins === undefined ? server : { ...server, pins: known.pins }
          if (server.sessions === "shared") return details
          const { id } = gateways.own()
          const ownRuntimes = Either.isRight(own) ? own.right.runtimes ?? [] : []
          const rest = yield* Effect.forEach(others.last().filter(isReached), (part) => runtimesOn(part, name), {
            concurrency: "unbounded"
          })
          return { ...details, runtimes: [...ownRuntimes.map((one) => ({ ...one, replica: id })), ...rest.flat()] }
        }),
      logs: (query) =>
        Effect.gen(function*() {
          const theirs = yield* logs.last(query)
          // Another replica may know a server that this one does not.
          const own = yield* theirs.length > 0
            ? Effect.sync(() => gateway.record.log.last(query.limit, query.server, query.since))
            : alone.logs(query)
          const tagged = own.map((line) => OtherLogs.said(line, gateways.own()))
          return OtherLogs.merged([tagged, theirs]).slice(-query.limit)
        }),
      lines: Stream.merge(
        Stream.map(alone.lines, (line) => OtherLogs.said(line, gateways.own())),
        logs.added
      ),
      reconnect,
      enable: switchAll("enable"),
      disable: switchAll("disable"),
      // Approvals are kept for all replicas, and the one that has the server looks for them.
      approve: alone.approve
    }
  })
