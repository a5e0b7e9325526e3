/**
 * The commands that a user starts, but for `adopt`: how they begin and end.
 */
// From their own modules: the package's index loads servers and sockets that help and usage errors need none of.
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { PlainText } from "@mcp-lifeline/core/internal"
import { Cause, Console, Effect, Exit, Option } from "effect"
import type * as Cli from "./Cli.js"
import { leave, leaveNow } from "./leave.js"

/** Signals closer together than this are one: a package manager passes on what the terminal has sent us already. */
const sameSignal = 500
/** Longer than all bounds of an orderly end together. */
const lastResort = 30_000

type Request = Exclude<Cli.Request, { readonly _tag: "Wrap" | "Join" | "Adopt" }>

let first: number | undefined
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    const now = performance.now()
    if (first === undefined) {
      first = now
      setTimeout(() => leaveNow(1), lastResort).unref()
    } else if (now - first > sameSignal) {
      // What the library started is killed by its exit hooks.
      leaveNow(130)
    }
  })
}
// A terminal that closes ends the gateway as Ctrl+C does, and hurries no end that is under way.
process.on("SIGHUP", () => first === undefined && process.emit("SIGTERM"))

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
      const { run } = yield* Effect.promise(() => import("./sign-in/commands/run.js"))
      // A login that was interrupted is none; scripts go by the exit code.
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

/** Of what is no success, by the tag of its error; 1 where there is none. */
const exitCodes: Readonly<Record<string, number>> = { UsageError: 2, NoGateway: 3 }

/** Carries a request out, and ends the process. */
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
