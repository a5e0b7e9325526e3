/** With the reader of `lifeline` in an `mcp.json`. */
import { McpConfig } from "@mcp-lifeline/config"
import { type Connector, Policy } from "@mcp-lifeline/core"
import { Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Array as Arr, Effect } from "effect"
import { UsageError } from "../text/Errors.js"
import * as StandardError from "../text/StandardError.js"

/** JSON, or else the text itself. */
const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const refused = (problems: Problem.Problems): UsageError =>
  new UsageError({ message: Problem.refuse("--option", problems).message })

const unsupported = (policy: ServerOptions.ServerOptions, connector: Connector): ReadonlyArray<Problem.Problem> => {
  const transport = Policy.unfit(connector, policy)
  return [
    ...(transport === undefined ? [] : [transport]),
    ...(policy.lifecycle?.disabled === true
      ? [{
        path: ["lifecycle", "disabled"],
        message: "would leave nothing to wrap; disable the server in the configuration of the host"
      }]
      : [])
  ]
}

/** Prints a warning on standard error for a value that is ambiguous, but can be used. */
export const read = (
  texts: ReadonlyArray<string>,
  connector: Connector
): Effect.Effect<ServerOptions.ServerOptions, UsageError> =>
  Effect.gen(function*() {
    const names = new Set<string>()
    const found: Array<Problem.Problem> = []
    let policy: ServerOptions.ServerOptions = {}
    for (const text of texts) {
      const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? []
      if (name === undefined || value === undefined) {
        const message = `--option ${text} is not written as NAME=VALUE, such as keepalive.interval=1min`
        return yield* Effect.fail(new UsageError({ message }))
      }
      if (names.has(name)) {
        return yield* Effect.fail(new UsageError({ message: `--option ${name} appears more than once` }))
      }
      names.add(name)
      const lifeline = name.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), valueOf(value))
      const one = McpConfig.readSupervision({ lifeline }, [])
      found.push(...one.problems.map((problem) => ({ ...problem, path: problem.path.slice(1) })))
      policy = ServerOptions.merge(policy, one.value?.policy ?? {})
    }
    const [wrong, ambiguous] = Arr.partition(found, ({ key }) => key === "ambiguous")
    const problems = wrong.length > 0 ? wrong : unsupported(policy, connector)
    if (Problem.some(problems)) return yield* Effect.fail(refused(problems))
    for (const problem of ambiguous) {
      StandardError.line(`mcp-lifeline: ${refused([problem]).message}`)
    }
    return policy
  })

export const filtered = (
  policy: ServerOptions.ServerOptions,
  hide: ReadonlyArray<string>,
  only: ReadonlyArray<string>
): ServerOptions.ServerOptions =>
  ServerOptions.merge(policy, {
    tools: { ...(hide.length === 0 ? {} : { hide }), ...(only.length === 0 ? {} : { only }) }
  })
