/**
 * A program over two backends, as it is written for production: it knows nothing of connections. Its test is in
 * test/two-backends.test.ts.
 */
import { Backend } from "@mcp-lifeline/core"
import { Effect } from "effect"

export class Docs extends Backend.Tag("docs")<Docs>() {}
export class Notes extends Backend.Tag("notes")<Notes>() {}

/** Looks something up and notes it down; says whether the note is there. */
export const lookUpAndNote = (query: string) =>
  Effect.gen(function*() {
    const docs = yield* Docs
    const notes = yield* Notes
    const found = yield* docs.callTool({ name: "search", arguments: { query } })
    return yield* notes.callTool({ name: "add", arguments: { text: JSON.stringify(found.content) } }).pipe(
      Effect.as("noted" as const),
      // It may have been added: adding it again could note it twice.
      Effect.catchTag("ResultUnknown", () => Effect.succeed("perhaps noted" as const)),
      Effect.catchTag("BackendUnavailable", () => Effect.succeed("not noted" as const))
    )
  })
