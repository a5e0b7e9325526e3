import { Backend, type Connector, type Policy } from "@mcp-lifeline/core"
import { EraRouter } from "@mcp-lifeline/http-server/EraRouter"
import * as messages from "@mcp-lifeline/http-server/messages"
import { ClientRequests, type Responder } from "@mcp-lifeline/protocol"
import { Effect, Scope } from "effect"
import { catalogFrom } from "../../src/cache/GroupCache.js"
import * as Fibers from "../../src/text/Fibers.js"
import { Bridge, type Options as BridgeOptions } from "../../src/wrap/Bridge.js"
import { CachedAnswers } from "../../src/wrap/CachedAnswers.js"
import type { Message } from "./Host.js"
import * as RawServer from "./RawServer.js"

export interface Options {
  readonly bridge?: Partial<BridgeOptions>
  readonly policy?: Policy.PolicyOptions & Pick<Backend.BackendOptions, "extensions">
  /** The server. Default: one in this process that gives the answers. */
  readonly connector?: Connector
}

/** What the host says goes to `receive`, what it is told is in `said`. */
export const make = Effect.fnUntraced(function*(
  answer: RawServer.Answer,
  { bridge, connector = RawServer.connector(answer), policy }: Options = {}
) {
  const fibers = yield* Fibers.make()
  const scope = yield* Effect.scope
  const said: Array<Message> = []
  const waiting = new Set<() => void>()
  const router = new EraRouter("raw", (write, isStateless) =>
    new Bridge({
      name: "raw",
      isStateless,
      isBounded: false,
      fibers,
      write,
      loadCache: () => Effect.succeed(new CachedAnswers(undefined, () => undefined, (_, result) => result)),
      open: ({ capabilities, clientInfo }, incoming, { cached: { introduction, lists } }) =>
        Backend.make("raw", {
          discovery: { mode: "learn" },
          catalogMemory: { remembered: introduction && catalogFrom({ introduction, lists }), keep: () => undefined },
          ...policy,
          connector: incoming.around(connector),
          clientInfo,
          capabilities
        }).pipe(Effect.orDie, Scope.extend(scope)),
      isBroken: () => false,
      isConnectedOnRequest: false,
      permanentFailure: () => Effect.never,
      loginNeeded: Effect.never,
      login: () => undefined,
      isLoginNeeded: () => false,
      onFailed: () => undefined,
      ...bridge
    }), (message) => say(JSON.stringify(message)))
  const say = (text: string): void => {
    said.push(JSON.parse(text) as Message)
    for (const wake of waiting) wake()
  }
  const requests = new ClientRequests()
  const responder: Responder = {
    say: (_, message) => say(JSON.stringify(message)),
    answer: ({ id }, answer) => say(messages.encodeAnswer(id, answer))
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => router.end()))
  const receive = (message: object): void => {
    const sent = { jsonrpc: "2.0", ...message } as never as Message
    if (sent.method !== undefined && sent.id !== undefined) router.request(requests.open(sent as never, responder))
    else if (sent.method === "notifications/cancelled") requests.cancel(sent as never)
    else router.receive(sent as never)
  }
  const until = <A>(look: () => A | undefined): Promise<A> =>
    new Promise((resolve) => {
      const wake = (): void => {
        const found = look()
        if (found === undefined) return
        waiting.delete(wake)
        resolve(found)
      }
      waiting.add(wake)
      wake()
    })
  const request = (id: number | string, method: string, params?: object): Promise<Message> => {
    receive({ id, method, ...(params === undefined ? {} : { params }) })
    return until(() => said.find((one) => one.id === id && one.method === undefined))
  }
  let initializes = 0
  const initialize = async (): Promise<Message> => {
    const clientInfo = { name: "host", version: "1" }
    const capabilities = { sampling: {}, roots: {}, elicitation: {} }
    const answer = await request(`initialize-${++initializes}`, "initialize", {
      protocolVersion: "2025-11-25",
      capabilities,
      clientInfo
    })
    receive({ method: "notifications/initialized" })
    return answer
  }
  return { said, receive, until, request, initialize }
})
