/**
 * A file of variables for the process of a server, as `envFile` names it: `NAME=value` in lines.
 */
import { Either, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { parseEnv } from "node:util"
import { hasCode } from "../state/privateFiles.js"

/** Its variables, or why it cannot be read. */
export const read = (file: string): Either.Either<Readonly<Record<string, Redacted.Redacted>>, string> =>
  Either.try({
    try: () =>
      Object.fromEntries(
        Object.entries(parseEnv(readFileSync(file, "utf8"))).map(([name, value]) => [name, Redacted.make(value ?? "")])
      ),
    catch: (error) =>
      hasCode(error, "ENOENT", "ENOTDIR")
        ? `names ${file}, and there is no such file; create it, or leave envFile out`
        : hasCode(error, "EACCES", "EPERM")
        ? `names ${file}, which may not be read; change its permissions`
        : `names ${file}, which cannot be read; name a file with a line NAME=value for each variable`
  })
