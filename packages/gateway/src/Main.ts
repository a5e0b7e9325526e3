// The package's index would also load servers and sockets.
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { PlainText } from "@mcp-lifeline/core/text"
import { Cause, Console, Effect, Exit, Option } from "effect"
import type * as Cli from "./Cli.js"
import { leave, leaveNow } from "./process/leave.js"

/** In milliseconds: a package manager passes on what the terminal has sent to us already. */
const repeatTime = 500
/** In milliseconds: longer than all time limits of an orderly end. */
const exitTimeout = 30_000

type Request = Exclude<Cli.Request, { readonly _tag: "Wrap" | "Join" | "Adopt" }>

let first: number | undefined
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    const now = performance.now()
    if (first === undefined) {
      first = now
      setTimeout(() => leaveNow(1), exitTimeout).unref()
    } else if (now - first > repeatTime) {
      // The library's exit hooks kill the processes that it started.
      leaveNow(130)
    }
  })
}
// A closing terminal stops the gateway, but does not count as a second signal.
process.on("SIGHUP", () => first === undefined && process.emit("SIGTERM"))
// Ctrl+Break, on Windows only.
process.on("SIGBREAK", () => process.emit("SIGINT"))

const main = (request: Request) =>
  Effect.gen(function*() {
    if (request._tag === "Check") {
      const { run } = yield* Effect.promise(() => import("./check/check.js"))
      return yield* Effect.onInterrupt(run(request.options), () => Effect.sync(() => (process.exitCode = 130)))
    }
    if (request._tag === "Ask") {
      const { run } = yield* Effect.promise(() => import("./commands/run.js"))
      return yield* Effect.onInterrupt(run(request), () => Effect.sync(() => (process.exitCode = 130)))
    }
    if (request._tag !== "Serve") {
      const { run } = yield* Effect.promise(() => import("./login/run.js"))
      // Scripts see that an interrupted login has failed.
      return yield* Effect.onInterrupt(run(request), () => Effect.sync(() => (process.exitCode = 130)))
    }
    const Serve = yield* Effect.promise(() => import("./serve/Serve.js"))
    return yield* Effect.scoped(Serve.run(request.options))
  }).pipe(
    Effect.tapErrorCause((cause) =>
      Cause.isInterruptedOnly(cause) ?
        Effect.void :
        Console.error(PlainText.lines(`mcp-lifeline: ${
          Option.match(Cause.failureOption(cause), {
            onNone: () => `internal error: ${String(Cause.squash(cause)).split("\n", 1)[0]}`,
            onSome: ({ message }) => message
          })
        }`))
    ),
    Effect.provide(NodeContext.layer)
  )

const exitCodes: Readonly<Record<string, number>> = { UsageError: 2, NoGateway: 3 }

export const run = (request: Request): void =>
  NodeRuntime.runMain(main(request), {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => {
      const failure = Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)
        ? undefined
        : {
          tag: (Option.getOrUndefined(Cause.failureOption(exit.cause)) as { readonly _tag?: string } | undefined)?._tag
        }
      const code = failure === undefined ? Number(process.exitCode ?? 0) : exitCodes[failure.tag ?? ""] ?? 1
      leave(code, () => onExit(code))
    }
  })
