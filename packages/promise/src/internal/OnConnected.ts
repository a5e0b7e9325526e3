import type { Backend, Method, Params } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { Effect } from "effect"
import type { CommonOptions } from "../Options.js"
import type { Session, SessionCallOptions } from "../Session.js"
import * as Checks from "./Checks.js"
import * as Runner from "./Runner.js"

type Prepare = NonNullable<CommonOptions["onConnected"]>

const sessionOf = (backend: string, core: Backend.Session, run: Runner.Runner, signal: AbortSignal): Session => {
  const request = <M extends Method>(
    method: M,
    params: Params<M>,
    options: SessionCallOptions | undefined,
    resultSchema?: unknown
  ) => {
    const wrong = Checks.sessionCall(backend, options)
    return wrong === undefined
      ? run(core.request(method, params, { ...options, resultSchema }), { signal })
      : Promise.reject(wrong)
  }
  return {
    backend,
    generation: core.generation,
    signal,
    callTool: (params, options) => request("tools/call", params, options),
    readResource: (params, options) => request("resources/read", params, options),
    request: ({ method, params }, resultSchema, options) =>
      request(method as Method, params as never, options, resultSchema) as Promise<any>
  }
}

/** The attempt fails with what `prepare` throws. */
export const make = (backend: string, prepare: Prepare): NonNullable<Backend.BackendOptions["onConnected"]> => (core) =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.mapError(
      Effect.tryPromise(async (signal) => {
        await prepare(sessionOf(backend, core, Runner.make(runtime), signal))
      }),
      ({ error }) => error
    ))

export const failed = (cause: unknown): ConnectError =>
  new ConnectError({
    backend: "",
    reason: "onConnected",
    permanent: false,
    message: `onConnected failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })
