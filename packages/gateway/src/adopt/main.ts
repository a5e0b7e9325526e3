/**
 * The program for `mcp-lifeline adopt`.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Cause, Effect, Layer, Logger } from "effect"
import { createInterface } from "node:readline/promises"
import type { UsageError } from "../Errors.js"
import { leave, leaveNow } from "../leave.js"
import { wantsColour } from "../Output.js"
import * as StandardError from "../StandardError.js"
import * as Adopt from "./Adopt.js"
import * as Arguments from "./Arguments.js"

const terminal: Adopt.Terminal = {
  canAsk: process.stdin.isTTY === true && process.stdout.isTTY === true,
  colour: wantsColour(process.stdout, process.env),
  line: (text) => Effect.sync(() => void process.stdout.write(`${text}\n`)),
  ask: (question) =>
    Effect.promise(async () => {
      const prompt = createInterface({ input: process.stdin, output: process.stdout })
      // The end of the input is no.
      const closed = new Promise<string>((resolve) => prompt.once("close", () => resolve("")))
      prompt.once("SIGINT", () => leaveNow(130))
      const answer = await Promise.race([prompt.question(question), closed])
      prompt.close()
      return /^\s*y(es)?\s*$/i.test(answer)
    })
}

const program = Effect.gen(function*() {
  const adopt = yield* Effect.try({
    try: () => Arguments.read(process.argv.slice(3)),
    catch: (error) => error as UsageError
  })
  if (adopt === undefined) {
    process.stdout.write(Arguments.help)
    return 0
  }
  return yield* Adopt.run(adopt, terminal)
}).pipe(
  Effect.catchTag("UsageError", ({ message }) =>
    Effect.sync(() => {
      StandardError.line(`mcp-lifeline: ${message}`)
      return 2
    })),
  Effect.catchAllCause((cause) =>
    Effect.sync(() => {
      StandardError.line(`mcp-lifeline: internal error: ${String(Cause.squash(cause))}`)
      return 1
    })
  ),
  Effect.provide(Layer.merge(StateFolder.layer, Logger.replace(Logger.defaultLogger, StandardError.logger)))
)

// Who reads us may go away.
process.stdout.on("error", () => {})
const code = await Effect.runPromise(program)
process.exitCode = code
leave(code, () => undefined)
