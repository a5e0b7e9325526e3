import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Cause, Effect, Layer, Logger } from "effect"
import { createInterface } from "node:readline/promises"
import { fileURLToPath } from "node:url"
import * as Archive from "../process/Archive.js"
import * as CodeCache from "../process/CodeCache.js"
import { leave, leaveNow } from "../process/leave.js"
import { wantsColour } from "../text/Output.js"
import * as StandardError from "../text/StandardError.js"
import * as Adopt from "./Adopt.js"
import type { Adopt as Options } from "./Arguments.js"

const terminal: Adopt.Terminal = {
  canAsk: process.stdin.isTTY === true && process.stdout.isTTY === true,
  colour: wantsColour(process.stdout, process.env),
  line: (text) => Effect.sync(() => void process.stdout.write(`${text}\n`)),
  ask: (question) =>
    Effect.promise(async () => {
      const prompt = createInterface({ input: process.stdin, output: process.stdout })
      // The end of the input means no.
      const closed = new Promise<string>((resolve) => prompt.once("close", () => resolve("")))
      prompt.once("SIGINT", () => leaveNow(130))
      const answer = await Promise.race([prompt.question(question), closed])
      prompt.close()
      return /^\s*y(es)?\s*$/i.test(answer)
    })
}

export const run = async (options: Options): Promise<void> => {
  // The reader of the output may exit.
  process.stdout.on("error", () => {})
  // The main program: everything else runs inside of this effect.
  process.exitCode = await Effect.runPromise(
    Adopt.run(options, terminal).pipe(
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          StandardError.line(`mcp-lifeline: internal error: ${String(Cause.squash(cause))}`)
          return 1
        })
      ),
      Effect.provide(Layer.merge(StateFolder.layer, Logger.replace(Logger.defaultLogger, StandardError.logger)))
    )
  )
  // Hosts start it next, once for each server.
  if (process.exitCode === 0 && !options.dryRun && !options.undo) {
    CodeCache.prepare(fileURLToPath(new URL(Archive.main, import.meta.url)))
  }
  leave(process.exitCode, () => undefined)
}
