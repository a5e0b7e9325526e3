import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { firstOf } from "@mcp-lifeline/core/internal"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import { Effect, FiberMap, Layer, Option, Stream } from "effect"
import { clean } from "../text/Text.js"
import * as Api from "./Api.js"
import * as AuditedCall from "./AuditedCall.js"
import * as EventStream from "./EventStream.js"
import type { Gateway } from "./Gateway.js"
import type { Operations } from "./Operations.js"
import * as Restricted from "./restricted.js"
import * as ServerCommands from "./ServerCommands.js"
import * as Tools from "./Tools.js"

/** How long a request for a login waits for the address to open. */
const addressTimeout = "25 seconds"

const callerOf = (request: HttpServerRequest): Caller.Caller =>
  Caller.of(NodeHttpServerRequest.toIncomingMessage(request))

const operationsOf = (gateway: Gateway, operations: Operations) => (request: HttpServerRequest): Restricted.Allowed =>
  Restricted.operationsFor(gateway, callerOf(request), operations)

const gatewayHandlers = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.group(Api.Api, "gateway", (handlers) =>
    Effect.gen(function*() {
      const events = yield* EventStream.make(operations, (request) => {
        const caller = Caller.of(request)
        return () => Restricted.viewFor(gateway, caller)
      })
      const operationsFor = operationsOf(gateway, operations)
      const accessOf = (request: HttpServerRequest) => gateway.rules.of(callerOf(request))
      return handlers
        .handle("status", ({ request }) => operationsFor(request).status)
        .handleRaw("events", () => events)
        .handle("tools", ({ request, urlParams }) => Tools.list(gateway, urlParams.server, accessOf(request)))
        .handle("call", ({ payload, request }) =>
          AuditedCall.call(gateway, payload, callerOf(request), accessOf(request)))
        .handle(
          "logs",
          ({ request, urlParams: { limit = 100, server, since } }) =>
            Effect.map(operationsFor(request).logs({ limit, server, since }), (events) => ({ events }))
        )
    }))

const isConnected = ({ servers: { shared } }: Gateway, name: string): Effect.Effect<boolean> =>
  Effect.orElseSucceed(Effect.flatMap(shared.fleet.backend(name), (backend) => backend.isConnected), () => false)

const noLogin = (code: Api.NoLogin["error"]["code"], message: string): Effect.Effect<never, Api.NoLogin> =>
  Effect.fail({ error: { code, message } })

const serverHandlers = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.group(Api.Api, "servers", (handlers) =>
    Effect.gen(function*() {
      const logins = yield* FiberMap.make<string, void, never>()

      const operationsFor = operationsOf(gateway, operations)
      const login = (name: string, request: HttpServerRequest) =>
        Effect.gen(function*() {
          const caller = callerOf(request)
          if (!gateway.rules.of(caller).hasServer(name)) yield* operationsFor(request).server(name)
          // A client that has its own login at the server begins that one.
          const personal = caller.subject === "" ? undefined : gateway.personalSignIns?.(name)
          // The shared one is for admins, also if the file has changed meanwhile.
          const ofAll = gateway.rules.of(caller).isAdmin ? gateway.signIn(name) : undefined
          const found = personal?.of(caller) ?? Effect.succeed(ofAll)
          const signIn = yield* found
          if (signIn === undefined) {
            yield* ServerCommands.requireServer(gateway, name)
            return yield* noLogin(
              "no_login",
              `${name} has no sign-in: it is started as a process, or its credentials are in the configuration`
            )
          }
          // In a cluster, the server may have asked another replica.
          const mayHaveAsked = signIn !== ofAll || gateway.replicas !== undefined
          if (!mayHaveAsked && (yield* signIn.state)._tag === "NotAsked" && (yield* isConnected(gateway, name))) {
            return yield* noLogin("no_login", `${name} asks for no login`)
          }
          // The login continues if the page that requested it is closed.
          const lasting = Effect.scoped(Effect.zipRight(found, Effect.ignore(signIn.login)))
          const key = `${signIn.account} ${name}`
          const underWay = Option.getOrUndefined(FiberMap.unsafeGet(logins, key))
          const fiber = underWay ?? (yield* FiberMap.run(logins, key, lasting))
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
            case "NotAsked":
              return yield* noLogin("login_failed", `${name} has not asked for a login`)
            default:
              return yield* noLogin("login_failed", clean(SignInState.show(state)))
          }
        }).pipe(Effect.scoped)

      return handlers
        .handle("server", ({ path, request }) => operationsFor(request).server(path.name))
        .handle("reconnect", ({ path, request }) => operationsFor(request).reconnect(path.name))
        .handle("enable", ({ path, request }) => operationsFor(request).enable(path.name))
        .handle("disable", ({ path, request }) => operationsFor(request).disable(path.name))
        .handle("approve", ({ path, request }) => operationsFor(request).approve(path.name))
        .handle("login", ({ path, request }) => login(path.name, request))
    }))

export const layer = (gateway: Gateway, operations: Operations) =>
  HttpApiBuilder.api(Api.Api).pipe(
    Layer.provide(gatewayHandlers(gateway, operations)),
    Layer.provide(serverHandlers(gateway, operations))
  )
