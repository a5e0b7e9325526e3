/**
 * `mcp-lifeline audit`: summarizes the calls of files.
 */
import { Effect } from "effect"
import { StartError } from "../Errors.js"
import * as Output from "../Output.js"
import { clean, json as jsonText } from "../Text.js"
import type { Request } from "./Arguments.js"
import { addAll } from "./AuditReader.js"
import { forPeople, forPrograms } from "./auditReport.js"
import { Summary } from "./Summary.js"

/** Prints the summary. */
export const run = ({ options: { files, json, top } }: Request): Effect.Effect<void, StartError> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    const summary = new Summary(top)
    const seen = new Set<string>()
    const reading = Effect.forEach(files, (file) =>
      Effect.tryPromise({
        try: (signal) => addAll(file, summary, seen, signal),
        catch: (cause) => cause instanceof StartError ? cause : new StartError({ message: String(cause), cause })
      }), { discard: true })
    yield* Output.whileWaiting(output, `reading ${clean(files.join(", "))}`, reading)
    const { report } = summary
    const texts = json ? [jsonText(forPrograms(report), 2)] : forPeople(report, yield* output.width)
    yield* Effect.forEach(texts, output.line, { discard: true })
  }))
