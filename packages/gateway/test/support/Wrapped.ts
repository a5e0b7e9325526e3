/** A host in this process, in front of one wrapped server. */
import { Backend, type Policy } from "@mcp-lifeline/core"
import { Effect, Scope } from "effect"
import { Eras } from "../../src/eras/Eras.js"
import { Bridge, type Options as BridgeOptions } from "../../src/wrap/Bridge.js"
import { KnownServer } from "../../src/wrap/KnownServer.js"
import type { Message } from "./Host.js"
import * as RawServer from "./RawServer.js"

/** What is otherwise than usual. */
export interface Options {
  readonly bridge?: Partial<BridgeOptions>
  readonly policy?: Policy.PolicyOptions
}

/** What the host says goes to `receive`, what it is told is in `said`. */
export const make = (answer: RawServer.Answer, { bridge, policy }: Options = {}) =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const scope = yield* Effect.scope
    const said: Array<Message> = []
    const waiting = new Set<() => void>()
    const eras = new Eras("raw", (write, isStateless) =>
      new Bridge({
        name: "raw",
        isStateless,
        isBounded: false,
        runtime,
        write,
        know: () => Effect.succeed(new KnownServer(undefined, () => undefined)),
        open: ({ capabilities, clientInfo }, incoming) =>
          Backend.make("raw", {
            discovery: { mode: "learn" },
            ...policy,
            connector: incoming.around(RawServer.connector(answer)),
            clientInfo,
            capabilities
          }).pipe(
            Effect.orDie,
            Scope.extend(scope)
          ),
        isBroken: () => false,
        isConnectedOnRequest: false,
        hopeless: () => Effect.never,
        loginNeeded: Effect.never,
        login: () => undefined,
        isLoginNeeded: () => false,
        onFailed: () => undefined,
        ...bridge
      }), (message) => {
      // As a wire has it, and failing as it does.
      said.push(JSON.parse(JSON.stringify(message)) as Message)
      for (const wake of waiting) wake()
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => eras.end()))
    const receive = (message: object): void => eras.receive({ jsonrpc: "2.0", ...message } as never)
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
