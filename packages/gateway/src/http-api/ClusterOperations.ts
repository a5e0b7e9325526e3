/**
 * Whichever replica is asked shows all, and passes commands on to the replica that has the server.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import { Array, Effect, Either, RcRef, Schema, type Scope } from "effect"
import type { Gateways } from "../replica/Gateways.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import { ChangedServer, type GatewayStatus, ServerDetails } from "./GatewayStatus.js"
import { isStuck, joined, ownerOf, type Part, serverAsShown, serverOn, shownOn } from "./joined.js"
import * as Alone from "./Operations.js"
import * as OtherGateways from "./OtherGateways.js"
import { requireServer } from "./ServerCommands.js"
import { serverStatus } from "./statusOf.js"

/** Between two questions to the others, in milliseconds. */
const pause = 2000

/** How often it looks whether a replica that carries out a command has gone, in milliseconds. */
const look = 500

type Action = "reconnect" | "enable" | "disable"

type CommandError = Api.NotFound | Api.ServerFailed

const Outcome = Schema.Union(ChangedServer, Api.NotFound, Api.ServerFailed)

const pathOf = (name: string): string => `/api/servers/${encodeURIComponent(name)}`

const isReached = ({ said }: Part): boolean => Either.isRight(said)

export const make = (
  gateway: Gateway,
  gateways: Gateways
): Effect.Effect<Alone.Operations, never, Scope.Scope> =>
  Effect.gen(function*() {
    const alone = Alone.make(gateway)
    const others = OtherGateways.make(gateways)

    const partsWith = (own: GatewayStatus): ReadonlyArray<Part> => [
      { replica: gateways.own(), since: gateway.startedAt, said: Either.right(own) },
      ...others.last()
    ]
    const parts = Effect.zipRight(others.look, Effect.map(alone.status, partsWith))
    const statusNow = Effect.map(alone.status, (own) => joined(own, partsWith(own)))

    const looking = Effect.interruptible(Effect.forever(Effect.delay(others.look, pause)))
    const following = yield* RcRef.make({ acquire: Effect.zipRight(others.look, Effect.forkScoped(looking)) })

    const isHere = ({ replica }: Part): boolean => replica.id === gateways.own().id

    const gone = ({ replica }: Part) =>
      Effect.repeat(Effect.sleep(look), { until: () => !gateways.others().some(({ id }) => id === replica.id) }).pipe(
        Effect.zipRight(Effect.fail("it has gone; try again"))
      )

    const on = (part: Part, action: Action, name: string): Effect.Effect<ChangedServer, CommandError> => {
      if (isHere(part)) return alone[action](name)
      const { replica, said } = part
      const place = `on the replica ${replica.id} at ${replica.address}`
      const asked = Either.isLeft(said)
        ? Effect.fail(said.left)
        : firstOf(others.command(replica, `${pathOf(name)}/${action}`, Outcome), gone(part))
      return Effect.matchEffect(asked, {
        onFailure: (problem) =>
          Effect.fail({ error: { code: "unavailable", message: `${place}, which is not reached: ${problem}` } }),
        onSuccess: (outcome) => {
          if (!("error" in outcome)) return Effect.succeed(outcome)
          const { code, message } = outcome.error
          const text = `${place}: ${message}`
          return Effect.fail(code === "not_found" ? Api.notFound(text) : { error: { code, message: text } })
        }
      })
    }

    /** Replicas whose files do not name the server do not count. */
    const onAll = (parts: ReadonlyArray<Part>, action: Action, name: string) =>
      Effect.gen(function*() {
        const all = yield* Effect.forEach(parts, (part) => Effect.either(on(part, action, name)), {
          concurrency: "unbounded"
        })
        const [failures, done] = Array.separate(all)
        const failed = failures.filter(({ error }) => error.code !== "not_found")
        const [first] = failed
        if (first === undefined) {
          const server = done[0] ?? (yield* serverStatus(gateway, name))
          const runtimesDone = done.reduce((sum, one) => sum + (one.runtimesDone ?? 0), 0)
          return server.sessions === "shared" ? server : { ...server, runtimesDone }
        }
        const { code, message } = first.error
        const text = parts.length === 1 ? message : `${failed.length} of ${parts.length} replicas failed: ${message}`
        return yield* Effect.fail<CommandError>({ error: { code, message: text } as never })
      })

    const reconnect = (name: string): Effect.Effect<ChangedServer, CommandError> =>
      Effect.gen(function*() {
        yield* requireServer(gateway, name)
        const reached = (yield* parts).filter(isReached)
        const owner = ownerOf(reached, name)
        if (owner === undefined) return yield* onAll(reached, "reconnect", name)
        const server = yield* on(owner, "reconnect", name)
        const stuck = reached.filter((part) => part !== owner && isStuck(part, name))
        yield* Effect.forEach(stuck, (part) => Effect.ignore(on(part, "reconnect", name)), {
          concurrency: "unbounded",
          discard: true
        })
        return server
      })

    /** Replicas that are not reached, or start later, read it from what all replicas keep. */
    const switchAll = (action: "enable" | "disable") => (name: string): Effect.Effect<ChangedServer, CommandError> =>
      Effect.gen(function*() {
        const server = yield* requireServer(gateway, name)
        const isKept = yield* gateway.servers.switchAll(server, action === "disable")
        const all = yield* parts
        return yield* onAll(isKept ? all.filter(isReached) : all, action, name)
      })

    return {
      status: Effect.zipRight(others.look, statusNow),
      statusNow,
      follow: Effect.asVoid(RcRef.get(following)),
      server: (name) =>
        Effect.gen(function*() {
          const all = yield* parts
          const shown = shownOn(all, name)
          const short = shown && serverOn(shown, name)
          if (shown === undefined || short === undefined) return yield* alone.server(name)
          const full: Effect.Effect<ServerDetails, unknown> = isHere(shown)
            ? alone.server(name)
            : others.read(shown.replica, pathOf(name), ServerDetails)
          return serverAsShown(all, shown, yield* Effect.orElseSucceed(full, () => short))
        }),
      logs: alone.logs,
      lines: alone.lines,
      reconnect,
      enable: switchAll("enable"),
      disable: switchAll("disable"),
      // Approvals are kept for all replicas, and the one that has the server looks for them.
      approve: alone.approve
    }
  })
