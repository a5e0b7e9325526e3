/**
 * Answers the requests of the API.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { type Backend, type CallError, type CommandError, Fleet, Nesting } from "@mcp-lifeline/core"
import { Array, Effect, FiberMap, Layer, Stream } from "effect"
import * as Offer from "../serve/Offer.js"
import * as SignInState from "../sign-in/State.js"
import { clean } from "../Text.js"
import { withoutOptions } from "../wrap/Advice.js"
import * as Api from "./Api.js"
import * as EventStream from "./EventStream.js"
import { everyRuntime } from "./everyRuntime.js"
import type { Gateway } from "./Gateway.js"
import * as OwnTools from "./ownTools.js"
import { gatewayStatus, serverDetails, serverStatus } from "./statusOf.js"

const notFound = (message: string): Api.NotFound => ({ error: { code: "not_found", message } })

const codes: Readonly<Partial<Record<(CallError | CommandError)["_tag"], Api.ServerFailed["error"]["code"]>>> = {
  BackendUnavailable: "unavailable",
  ConnectError: "unavailable",
  ConnectionLost: "unavailable",
  RequestTimeout: "timeout",
  ResultUnknown: "result_unknown"
}

const failed = ({ _tag, message }: CallError | CommandError): Api.ServerFailed => ({
  error: {
    code: codes[_tag] ?? "server_error",
    message: clean(_tag === "RemoteError" ? message : withoutOptions(message))
  }
})

/** How long the address of a login may take to be known. */
const addressTime = "25 seconds"

const tooDeep = `nested more than ${Nesting.defaultDepth} levels deep, which is not passed on`

/** Fails where there is no server of this name, shared or of each client, and nothing is known of one that there was. */
const known = ({ fleet, own, record }: Gateway, name: string): Effect.Effect<void, Api.NotFound> =>
  Effect.flatMap(fleet.backends, (shared) => {
    const names = [...shared, ...own.servers].map(({ id }) => id)
    return names.includes(name) || record.log.last(1, name).length > 0
      ? Effect.void
      : Effect.fail(notFound(Fleet.unknownBackend(name, names).message))
  })

const gatewayHandlers = (gateway: Gateway) =>
  HttpApiBuilder.group(Api.Api, "gateway", (handlers) =>
    Effect.gen(function*() {
      const events = yield* EventStream.make(gateway)
      const { fleet, own, record, url } = gateway
      /** Why a tool that no shared server has is not called, where another server may have it. */
      const notCalled = (tool: string): string | undefined => {
        const server = own.servers.find(({ id }) => Fleet.maySay("tools", id, tool))
        return server && OwnTools.notCalled(server.id, tool, url)
      }
      return handlers
        .handle("status", () => gatewayStatus(gateway))
        .handleRaw("events", () => events)
        .handle("tools", ({ urlParams }) =>
          Effect.zipWith(fleet.catalog, fleet.status, (catalog, statuses) => ({
            notListed: [
              ...Object.values(statuses).flatMap((status) => {
                const message = OwnTools.unknownOf(status)
                return message === undefined ? [] : [{ server: status.backend, message: clean(message) }]
              }),
              ...own.servers.map(({ id }) => ({ server: id, message: OwnTools.notListed(id, url) }))
            ].filter(({ server }) => urlParams.server === undefined || urlParams.server === server),
            tools: Offer.tools(catalog).flatMap(({ description, inputSchema, name, title }) => {
              const entry = catalog.tools.get(name)
              if (entry === undefined) return []
              if (urlParams.server !== undefined && urlParams.server !== entry.backend) return []
              const { backend: server, original, stale } = entry
              return [{ name, server, original, title, description, inputSchema, stale }]
            })
          })))
        .handle("call", ({ payload }) =>
          fleet.callTool(payload).pipe(
            Effect.mapError((error) =>
              Fleet.isUnknown(error)
                ? notFound(notCalled(payload.name) ?? error.message)
                : failed(error)
            ),
            Effect.filterOrFail(
              (result) => !Nesting.isDeeper(result, Nesting.defaultDepth),
              (): Api.ServerFailed => ({
                error: { code: "server_error", message: `the call was carried out, and its result is ${tooDeep}` }
              })
            )
          ))
        .handle("logs", ({ urlParams: { limit = 100, server } }) =>
          Effect.flatMap(server === undefined ? Effect.void : known(gateway, server), () =>
            Effect.sync(() => ({ events: record.log.last(limit, server) }))))
    }))

type Runtimes = ReadonlyArray<Backend.Backend>

/** Does something to all of them, and gives to how many it was done; where it fails for some, it says for how many. */
const each =
  (act: (backend: Backend.Backend) => Effect.Effect<void, CommandError>) =>
  (runtimes: Runtimes): Effect.Effect<number, Api.ServerFailed> =>
    Effect.flatMap(everyRuntime(runtimes, act), ({ done, failures }) => {
      const [first] = failures
      if (first === undefined) return Effect.succeed(done)
      const { error } = failed(first)
      if (runtimes.length === 1) return Effect.fail({ error })
      const message = `${failures.length} of ${runtimes.length} runtimes failed, ${done} succeeded: ${error.message}`
      return Effect.fail({ error: { code: error.code, message } })
    })

const serverHandlers = (gateway: Gateway) =>
  HttpApiBuilder.group(Api.Api, "servers", (handlers) =>
    Effect.gen(function*() {
      const logins = yield* FiberMap.make<string>()

      const { own } = gateway

      /** The runtimes of a server: the one that all clients share, or those of all clients, and of those to come once it is switched. */
      const find = (name: string, isOff?: boolean): Effect.Effect<Runtimes, Api.NotFound> => {
        const server = own.servers.find(({ id }) => id === name)
        if (server === undefined) {
          return Effect.catchAll(
            Effect.map(gateway.fleet.backend(name), Array.of),
            ({ message }) => Effect.zipRight(known(gateway, name), Effect.fail(notFound(message)))
          )
        }
        return Effect.zipRight(isOff === undefined ? Effect.void : own.switch(server, isOff), own.of(server))
      }

      const orGone = <A>(name: string, status: Effect.Effect<A | undefined>): Effect.Effect<A, Api.NotFound> =>
        Effect.flatMap(
          status,
          (status) =>
            status === undefined ? Effect.fail(notFound(`there is no server ${name}`)) : Effect.succeed(status)
        )

      /** Does something to a server, and answers with its status after that. `act` gives to how many runtimes it was done. */
      const command = <E>(name: string, act: (runtimes: Runtimes) => Effect.Effect<number, E>, isOff?: boolean) =>
        Effect.gen(function*() {
          const runtimesDone = yield* Effect.flatMap(find(name, isOff), act)
          const server = yield* orGone(name, serverStatus(gateway, name))
          return server.sessions === "shared" ? server : { ...server, runtimesDone }
        })

      const login = (name: string) =>
        Effect.gen(function*() {
          const signIn = gateway.signIn(name)
          if (signIn === undefined) yield* find(name)
          if (signIn === undefined) {
            const message =
              `${name} has no sign-in: it is started as a process, or its credentials are in the configuration`
            return yield* Effect.fail<Api.NoLogin>({ error: { code: "no_login", message } })
          }
          // It goes on when the page that has asked for it is closed.
          const fiber = yield* FiberMap.run(logins, name, Effect.ignore(signIn.login), { onlyIfMissing: true })
          const waiting = Stream.filter(signIn.changes, ({ _tag }) => _tag === "LoginNeeded")
          yield* Effect.raceFirst(Stream.runHead(waiting), fiber).pipe(
            Effect.timeoutOption(addressTime)
          )
          const state = yield* signIn.state
          switch (state._tag) {
            case "SignedIn":
              return { state: "signed-in", message: SignInState.show(state) } satisfies Api.Login
            case "LoginNeeded":
              return {
                state: "login-needed",
                message: clean(SignInState.show(state)),
                url: state.address
              } satisfies Api.Login
            default: {
              const message = state._tag === "NotAsked"
                ? `${name} has not asked for a login`
                : clean(SignInState.show(state))
              return yield* Effect.fail<Api.NoLogin>({ error: { code: "login_failed", message } })
            }
          }
        })

      return handlers
        .handle("server", ({ path }) => orGone(path.name, serverDetails(gateway, path.name)))
        .handle("reconnect", ({ path }) => command(path.name, each(({ reconnect }) => reconnect)))
        .handle("enable", ({ path }) => command(path.name, each(({ enable }) => enable), false))
        .handle("disable", ({ path }) =>
          command(
            path.name,
            (runtimes) =>
              Effect.as(
                Effect.forEach(runtimes, ({ disable }) => disable, { concurrency: "unbounded", discard: true }),
                runtimes.length
              ),
            true
          ))
        .handle("login", ({ path }) => login(path.name))
    }))

/** The handlers of all that can be asked. */
export const layer = (gateway: Gateway) =>
  HttpApiBuilder.api(Api.Api).pipe(
    Layer.provide(gatewayHandlers(gateway)),
    Layer.provide(serverHandlers(gateway))
  )
