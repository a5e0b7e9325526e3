/**
 * Implements the API.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { firstOf } from "@mcp-lifeline/core/internal"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import { Effect, FiberMap, Layer, Stream } from "effect"
import { clean } from "../Text.js"
import * as Api from "./Api.js"
import * as EventStream from "./EventStream.js"
import type { Gateway } from "./Gateway.js"
import type { Operations } from "./Operations.js"
import * as ServerCommands from "./ServerCommands.js"
import * as Tools from "./Tools.js"

/** How long a request for a login waits for the address to open. */
const addressTimeout = "25 seconds"

const gatewayHandlers = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.group(Api.Api, "gateway", (handlers) =>
    Effect.gen(function*() {
      const events = yield* EventStream.make(operations)
      return handlers
        .handle("status", () => operations.status)
        .handleRaw("events", () => events)
        .handle("tools", ({ urlParams }) => Tools.list(gateway, urlParams.server))
        .handle("call", ({ payload }) => Tools.call(gateway, payload))
        .handle(
          "logs",
          ({ urlParams: { limit = 100, server, since } }) =>
            Effect.map(operations.logs({ limit, server, since }), (events) => ({ events }))
        )
    }))

const serverHandlers = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.group(Api.Api, "servers", (handlers) =>
    Effect.gen(function*() {
      const logins = yield* FiberMap.make<string>()

      const login = (name: string) =>
        Effect.gen(function*() {
          const signIn = gateway.signIn(name)
          if (signIn === undefined) yield* ServerCommands.requireServer(gateway, name)
          if (signIn === undefined) {
            const message =
              `${name} has no sign-in: it is started as a process, or its credentials are in the configuration`
            return yield* Effect.fail<Api.NoLogin>({ error: { code: "no_login", message } })
          }
          // The login continues if the page that requested it is closed.
          const fiber = yield* FiberMap.run(logins, name, Effect.ignore(signIn.login), { onlyIfMissing: true })
          const waiting = Stream.filter(signIn.changes, ({ _tag }) => _tag === "LoginNeeded")
          yield* firstOf(Stream.runHead(waiting), fiber, Effect.sleep(addressTimeout))
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
        .handle("server", ({ path }) => operations.server(path.name))
        .handle("reconnect", ({ path }) => operations.reconnect(path.name))
        .handle("enable", ({ path }) => operations.enable(path.name))
        .handle("disable", ({ path }) => operations.disable(path.name))
        .handle("login", ({ path }) => login(path.name))
    }))

/** The handlers of all endpoints. */
export const layer = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.api(Api.Api).pipe(
    Layer.provide(gatewayHandlers(gateway, operations)),
    Layer.provide(serverHandlers(gateway, operations))
  )
