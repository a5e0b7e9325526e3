import { type Backend, type Fleet, Log } from "@mcp-lifeline/core"
import type { Runtime } from "effect"
import { Effect, Exit, Scope } from "effect"
import type { CommonOptions } from "../Options.js"
import { of } from "./Outer.js"
import { inTime } from "./OuterRuntime.js"
import * as Runner from "./Runner.js"
import { withTelemetry } from "./withTelemetry.js"

/** What one client or fleet owns. */
export interface Ownership {
  readonly runtime: Runtime.Runtime<never>
  readonly run: ReturnType<typeof Runner.make>
  readonly scope: Scope.Scope
  /** In the scope, with logger and telemetry of the options. */
  readonly make: <A extends Backend.Backend | Fleet.Fleet, E>(
    making: Effect.Effect<A, E, Scope.Scope>
  ) => Promise<A>
  /** Once. Resolves when everything has closed or its time is over. */
  readonly close: () => Promise<void>
}

export const open = (options: CommonOptions): Ownership => {
  const { logger } = options
  const runtime = inTime(Runner.runtime(logger), of(options))
  const run = Runner.make(runtime)
  const scope = Runner.runSync(Scope.make())
  let closed: Promise<void> | undefined
  return {
    runtime,
    run,
    scope,
    make: async (making) => {
      const logged = logger === undefined ? making : Effect.tap(making, (one) => Log.follow(one))
      const owned = Scope.extend(logged, scope)
      const measured = withTelemetry(options)
      return run(measured === undefined ? owned : (await measured)(owned), options)
    },
    close: () => closed ??= run(Effect.uninterruptible(Scope.close(scope, Exit.void)))
  }
}
