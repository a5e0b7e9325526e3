import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Audit from "../../src/audit/Audit.js"
import type { AuditLine } from "../../src/audit/AuditLine.js"

/** All lines of a file of the audit but those of a start: of its calls, and of calls that have none. */
export const callsIn = (file: string): ReadonlyArray<AuditLine> =>
  readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as AuditLine)
    .filter(({ event }) => (event as string) !== "start")

/** An audit of its own file. */
export const recorder = Effect.fnUntraced(function*(withArguments: boolean) {
  const file = join(yield* folder, "calls")
  const options = { file, size: 1_000_000_000, files: 1, full: "stop", withArguments } as const
  return { audit: yield* Audit.make(options, () => undefined), lines: () => callsIn(file) }
})
