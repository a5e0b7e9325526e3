/**
 * Carries `login`, `logout` and `auth` out.
 */
import { Effect, Logger, LogLevel } from "effect"
import type { StartError, UsageError } from "../../Errors.js"
import * as Output from "../../Output.js"
import * as StateFolder from "../../state/StateFolder.js"
import * as Auth from "./auth.js"
import type { Request } from "./commandLine.js"
import * as Login from "./login.js"
import * as Logout from "./logout.js"

/** Carries a request out. */
export const run = (request: Request): Effect.Effect<void, StartError | UsageError> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    const work = request._tag === "Login"
      ? Login.run(request.options, output)
      : request._tag === "Logout"
      ? Logout.run(request.options, output)
      : Auth.run(request.options, output)
    yield* Effect.provide(work, Logger.replace(Logger.defaultLogger, Output.logger(output)))
  })).pipe(Effect.provide(StateFolder.layer), Logger.withMinimumLogLevel(LogLevel.Warning))
