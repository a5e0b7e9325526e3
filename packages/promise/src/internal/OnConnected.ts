/**
 * What a user does with each new connection, as the core's Effect.
 */
import type { Backend, Method } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { Effect } from "effect"
import type { CommonOptions } from "../Options.js"
import type { Session } from "../Session.js"
import * as Run from "./Run.js"

type Prepare = NonNullable<CommonOptions["onConnected"]>

const sessionOf = (backend: string, core: Backend.Session, run: Run.Run, signal: AbortSignal): Session => ({
  backend,
  generation: core.generation,
  signal,
  callTool: (params, options) => run(core.request("tools/call", params, options), { signal }),
  readResource: (params, options) => run(core.request("resources/read", params, options), { signal }),
  request: ({ method, params }, resultSchema, options) =>
    run(core.request(method as Method, params as never, { ...options, resultSchema }), { signal }) as Promise<any>
})

/** Runs it in an attempt; what it throws is the attempt's failure. */
export const make = (backend: string, prepare: Prepare): NonNullable<Backend.BackendOptions["onConnected"]> => (core) =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.mapError(
      Effect.tryPromise(async (signal) => {
        await prepare(sessionOf(backend, core, Run.make(runtime), signal))
      }),
      ({ error }) => error
    ))

/** Why the attempt failed. */
export const failed = (cause: unknown): ConnectError =>
  new ConnectError({
    backend: "",
    reason: "onConnected",
    incurable: false,
    message: `onConnected failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })
