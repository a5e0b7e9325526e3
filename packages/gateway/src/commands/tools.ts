import { Effect, Either, Predicate, Schema } from "effect"
import { text as textOf } from "node:stream/consumers"
import type * as Api from "../http-api/Api.js"
import { StartError, UsageError } from "../text/Errors.js"
import * as Grid from "../text/Grid.js"
import { type Output, whileWaiting } from "../text/Output.js"
import { clean, json as jsonText } from "../text/Text.js"
import type { GatewayCommand } from "./Arguments.js"
import type { GatewayClient } from "./GatewayClient.js"

const table = (tools: ReadonlyArray<Api.Tool>, width: number): string =>
  Grid.render({
    head: ["tool", "what it does"],
    rows: tools.map(({ description = "", name, stale, title = "" }) => [
      clean(name),
      `${clean((description || title).slice(0, 500))}${stale ? " (stale)" : ""}`
    ]),
    shrinking: [[1, 24]]
  }, width)

const details = ({ description, inputSchema, name, original, server, title }: Api.Tool): string =>
  [
    `${clean(name)}: ${clean(original)} of ${clean(server)}`,
    ...(title === undefined ? [] : [clean(title)]),
    ...(description === undefined ? [] : ["", ...description.split("\n").map(clean)]),
    "",
    jsonText(inputSchema, 2)
  ].join("\n")

export const tools = (
  client: GatewayClient,
  { json, name }: Extract<GatewayCommand, { readonly _tag: "Tools" }>,
  output: Output
) =>
  Effect.gen(function*() {
    const { notListed, tools: all } = yield* client.tools
    const one = all.find((tool) => tool.name === name)
    const found = name === undefined ? all : one === undefined ? all.filter(({ server }) => server === name) : [one]
    const unlisted = notListed.filter(({ server, prefix = `${server}__` }) =>
      name === undefined || server === name || name.startsWith(prefix)
    )
    if (found.length === 0 && name !== undefined) {
      const unknown = `no server and no tool is named ${name}, or the server offers no tools; see mcp-lifeline tools`
      return yield* new StartError({ message: clean(unlisted[0]?.message ?? unknown) })
    }
    if (json) return yield* output.line(jsonText(one ?? found, 2))
    if (one !== undefined) return yield* output.line(details(one))
    if (found.length > 0) yield* output.line(table(found, yield* output.width))
    else if (unlisted.length === 0) yield* output.line("The gateway offers no tools")
    yield* Effect.forEach(unlisted, ({ message }) => output.line(clean(message)))
  })

const Arguments = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

const decodeArguments = (text: string) =>
  Either.mapLeft(
    Schema.decodeEither(Arguments)(text),
    () => new UsageError({ message: `the arguments of a tool are a JSON object, for example '{"path": "."}'` })
  )

/** A placeholder for a part that a terminal cannot show. */
const contentOf = (result: unknown): ReadonlyArray<string> => {
  if (!Predicate.isRecord(result)) return [jsonText(result)]
  const { content, structuredContent } = result
  const parts = Array.isArray(content) ? content : []
  if (parts.length === 0 && structuredContent !== undefined) return [jsonText(structuredContent, 2)]
  return parts.map((part: unknown) => {
    if (!Predicate.isRecord(part)) return jsonText(part)
    if (part["type"] === "text") return String(part["text"])
    const data = typeof part["data"] === "string" ? `, ${Math.floor(part["data"].length * 3 / 4)} bytes` : ""
    const type = typeof part["mimeType"] === "string" ? ` ${part["mimeType"]}` : ""
    const uri = typeof part["uri"] === "string" ? ` ${part["uri"]}` : ""
    return `[${clean(`${String(part["type"])}${type}${uri}${data}`)}; --json shows it whole]`
  })
}

export const call = (
  client: GatewayClient,
  { input, json, name }: Extract<GatewayCommand, { readonly _tag: "Call" }>,
  output: Output
) =>
  Effect.gen(function*() {
    const source = input === "-" ? yield* Effect.promise(() => textOf(process.stdin)) : input
    const parsed = source === undefined ? undefined : yield* decodeArguments(source)
    const result = yield* whileWaiting(
      output,
      `Calling ${clean(name)}`,
      client.call({ name, ...(parsed === undefined ? {} : { arguments: parsed }) })
    )
    if (json) yield* output.line(jsonText(result, 2))
    else yield* Effect.forEach(contentOf(result), output.raw)
    if (Predicate.isRecord(result) && result["isError"] === true) process.exitCode = 1
  })
