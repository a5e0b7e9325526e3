/**
 * What a client or a fleet owns: the scope of everything that it has started, and how that is made and closed.
 */
import { type Backend, type Fleet, Log } from "@mcp-lifeline/core"
import type { Runtime } from "effect"
import { Effect, Exit, Scope } from "effect"
import type { CommonOptions } from "../Options.js"
import { measured } from "./Measured.js"
import * as Run from "./Run.js"

/** The scope of one client or fleet. */
export interface Ownership {
  readonly runtime: Runtime.Runtime<never>
  readonly run: ReturnType<typeof Run.make>
  readonly scope: Scope.Scope
  /** Makes what is owned, logged and measured as the options say. */
  readonly make: <A extends Backend.Backend | Fleet.Fleet, E>(
    name: string,
    making: Effect.Effect<A, E, Scope.Scope>
  ) => Promise<A>
  /** Closes all of it, once; ends when it is gone or abandoned. */
  readonly close: () => Promise<void>
}

/** Owns nothing yet. */
export const open = (options: CommonOptions): Ownership => {
  const { logger, telemetry } = options
  const runtime = Run.runtime(logger)
  const run = Run.make(runtime)
  const scope = Run.now(Scope.make())
  let closed: Promise<void> | undefined
  return {
    runtime,
    run,
    scope,
    make: async (name, making) => {
      const logged = logger === undefined ? making : Effect.tap(making, (one) => Log.follow(one))
      const owned = Scope.extend(logged, scope)
      return run(telemetry === undefined ? owned : (await measured(name, telemetry))(owned), options)
    },
    close: () => closed ??= run(Effect.uninterruptible(Scope.close(scope, Exit.void)))
  }
}
