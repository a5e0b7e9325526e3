import { readFileSync } from "node:fs"
import type { AuditLine } from "../../src/audit/AuditLine.js"

/** All lines of a file of the audit but those of a start: of its calls, and of calls that have none. */
export const callsIn = (file: string): ReadonlyArray<AuditLine> =>
  readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as AuditLine)
    .filter(({ event }) => (event as string) !== "start")
