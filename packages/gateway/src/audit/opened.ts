/**
 * Nothing of the audit is loaded without `--audit`.
 */
import { Effect, Runtime, type Scope } from "effect"
import type { StartError } from "../text/Errors.js"
import { clean } from "../text/Text.js"
import type { Audit, Options } from "./Audit.js"

export const opened = (options: Options | undefined): Effect.Effect<Audit | undefined, StartError, Scope.Scope> =>
  options === undefined ? Effect.succeed(undefined) : Effect.gen(function*() {
    const { make } = yield* Effect.promise(() => import("./Audit.js"))
    const runtime = yield* Effect.runtime<never>()
    return yield* make(options, (message) => void Runtime.runFork(runtime)(Effect.logWarning(clean(message))))
  })
