/**
 * The program for `mcp-lifeline wrap`, which hosts start once for each server: it loads nothing that the other commands need.
 */
import { Effect } from "effect"
import type { UsageError } from "../Errors.js"
import * as Hosted from "../hosted.js"
import * as Arguments from "./Arguments.js"
import * as Wrap from "./wrap.js"

Hosted.run(
  Effect.gen(function*() {
    const wrap = yield* Effect.try({
      try: () => Arguments.read(process.argv.slice(3)),
      catch: (error) => error as UsageError
    })
    if (wrap === undefined) return void process.stdout.write(Arguments.help)
    yield* Wrap.run(wrap)
  })
)
