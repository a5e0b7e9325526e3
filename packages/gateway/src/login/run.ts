import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Logger, LogLevel } from "effect"
import type { StartError, UsageError } from "../text/Errors.js"
import * as Output from "../text/Output.js"
import type { Request } from "./Arguments.js"

// Each command is loaded only when it runs.
const loadAuth = Effect.promise(() => import("./auth.js"))
const loadLogin = Effect.promise(() => import("./login.js"))
const loadLogout = Effect.promise(() => import("./logout.js"))

const runCommand = (request: Request, output: Output.Output) => {
  switch (request._tag) {
    case "Login":
      return Effect.flatMap(loadLogin, (login) => login.run(request.options, output))
    case "Logout":
      return Effect.flatMap(loadLogout, (logout) => logout.run(request.options, output))
    case "Auth":
      return Effect.flatMap(loadAuth, (auth) => auth.run(request.options, output))
  }
}

export const run = (request: Request): Effect.Effect<void, StartError | UsageError> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    yield* Effect.provide(
      runCommand(request, output),
      Logger.replace(Logger.defaultLogger, Output.logger(output))
    )
  })).pipe(Effect.provide(StateFolder.layer), Logger.withMinimumLogLevel(LogLevel.Warning))
