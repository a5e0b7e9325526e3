import type { CallError } from "@mcp-lifeline/core"
import type { ClientSettings } from "@mcp-lifeline/http-server/Conversation"
import { noRoom } from "@mcp-lifeline/http-server/subscriptionLimits"
import { type ClientRequest, JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import { isLevel } from "@mcp-lifeline/protocol/Level"
import { Array as Arr, Effect, Predicate } from "effect"
import type { ClientRelay } from "../conversation/ClientRelay.js"
import type { Handler } from "../conversation/Handler.js"
import type { ClientAccess } from "./ClientAccess.js"
import type { ClientSubscriptions } from "./ClientSubscriptions.js"
import type { NameResolver } from "./NameResolver.js"

export interface Options {
  readonly relay: Pick<ClientRelay, "after" | "refuseParams">
  readonly access: ClientAccess
  readonly names: NameResolver
  readonly subscriptions: ClientSubscriptions
}

type Refusal = readonly [code: number, message: string]

export const handlers = ({ access, names, relay, subscriptions }: Options): Readonly<Record<string, Handler>> => {
  /** Only once it is saved: a client that has the answer does not lose the change in a crash of the gateway. */
  const answerAfterSave = (request: ClientRequest, saved: Promise<void>): void =>
    relay.after(request, Effect.promise(() => saved), () => request.answer({ result: {} }), "unknown")

  return {
    "logging/setLevel": (request) => {
      const level = request.params?.["level"]
      if (!isLevel(level)) return relay.refuseParams(request, "logging/setLevel")
      answerAfterSave(request, subscriptions.setLevel(level))
    },
    "resources/subscribe": (request) => {
      const uri = request.params?.["uri"]
      if (!Predicate.isString(uri)) return relay.refuseParams(request, "resources/subscribe")
      const refusal = Effect.flatMap(
        names.resolve("resources", uri, () => access.of(request)),
        (resolved): Effect.Effect<Refusal | undefined, CallError> => {
          const server = resolved.route.backend.id
          const introduction = resolved.fleet.introduction(server)
          if (introduction !== undefined && introduction.capabilities.resources?.subscribe !== true) {
            return Effect.succeed([JsonRpc.methodNotFound, `${server} does not tell of changes of its resources`])
          }
          return Effect.map(
            subscriptions.subscribe(uri, resolved),
            (excess): Refusal | undefined => excess && [Failure.ourCode, noRoom(excess)]
          )
        }
      )
      relay.after(
        request,
        refusal,
        (refusal) => refusal === undefined ? request.answer({ result: {} }) : request.refuse(...refusal),
        "unknown"
      )
    },
    "resources/unsubscribe": (request) => {
      const uri = request.params?.["uri"]
      if (!Predicate.isString(uri)) return relay.refuseParams(request, "resources/unsubscribe")
      answerAfterSave(request, subscriptions.unsubscribe(uri))
    }
  }
}

/** Subscriptions that wait for servers without lists. */
const atOnce = 16

/** As far as their servers are still there. */
export const restore = (
  { names, subscriptions }: Pick<Options, "names" | "subscriptions">,
  { level, subscriptions: uris }: ClientSettings,
  run: (work: Effect.Effect<void>) => void
): void => {
  if (isLevel(level)) void subscriptions.setLevel(level)
  const resume = (uri: string) =>
    Effect.ignore(Effect.map(
      names.resolve("resources", uri),
      (resolved) => run(Effect.ignore(subscriptions.resume(uri, resolved)))
    ))
  // Others get their turn after each: fibers that only compute let no message in.
  const resumeAll = (some: ReadonlyArray<string>) =>
    Effect.forEach(some, (uri) => Effect.zipRight(resume(uri), Effect.sleep(0)), { concurrency: atOnce, discard: true })
  // While some wait, the lists come in which most of the others are found at once: those do not wait for a server that is down.
  const [others, first] = Arr.partition(uris, (_, index) => index % Math.ceil(uris.length / atOnce) === 0)
  const rest = Effect.suspend(() => {
    const [unknown, known] = Arr.partition(others, (uri) => names.find("resources", uri) !== undefined)
    return resumeAll([...known, ...unknown])
  })
  run(Effect.zipRight(resumeAll(first), rest))
}
