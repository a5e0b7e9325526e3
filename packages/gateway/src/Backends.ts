/**
 * The entries of an `mcp.json` as backends of a fleet.
 */
import type { Backend } from "@mcp-lifeline/core"
import { Policy } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Array, Either, Predicate } from "effect"
import { isAbsolute, resolve } from "node:path"
import type { Entry, Problem } from "./McpJson.js"
import { version } from "./Version.js"

/** The backends that can be made, and why others cannot. */
export interface Backends {
  /** In the order of the file. */
  readonly backends: ReadonlyArray<Backend.BackendOptions & { readonly id: string }>
  readonly problems: ReadonlyArray<Problem>
}

/** A connector for an entry; a relative `cwd` is taken from the folder of the file. */
const connector = ({ server }: Entry, folder: string) =>
  server._tag === "Http"
    ? HttpConnector.make({ url: server.url, headers: server.headers, transport: server.sse ? "sse" : "auto" })
    : StdioConnector.make({
      command: server.command,
      args: server.args,
      env: server.env,
      cwd: server.cwd === undefined || isAbsolute(server.cwd) ? server.cwd : resolve(folder, server.cwd)
    })

const fromEntry = (entry: Entry, folder: string): Either.Either<Backend.BackendOptions, Problem> => {
  const { options = {} } = entry
  if (!Predicate.isRecord(options)) return Either.left(entry.problem(["lifeline"], "must be an object of options"))
  const given = options as Policy.PolicyOptions
  const policy = entry.disabled ? Policy.merge(given, { lifecycle: { disabled: true } }) : given
  const made = connector(entry, folder)
  return Policy.resolve(entry.name, made, policy).pipe(
    Either.map(() => ({ ...policy, connector: made, clientInfo: { name: "mcp-lifeline", version } })),
    Either.mapLeft(({ field, message }) =>
      entry.problem(["lifeline", ...field.split(".")], message.replace(`${entry.name}: `, ""))
    )
  )
}

/** Makes what can be made; `folder` is where the file lies. */
export const fromEntries = (entries: ReadonlyArray<Entry>, folder: string): Backends => {
  const [problems, backends] = Array.partitionMap(
    entries,
    (entry) => Either.map(fromEntry(entry, folder), (options) => ({ ...options, id: entry.name }))
  )
  return { backends, problems }
}
