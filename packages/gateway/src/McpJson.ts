/**
 * An `mcp.json`, in the dialects in use: what is right in it, and for each thing that is not, file, line, key and remedy.
 *
 * Pure but for the environment, which is given. Values of `env` and `headers` are Redacted from here on, and no problem
 * quotes a value.
 */
import type { Redacted as RedactedType } from "effect"
import { Data, Either, Option, ParseResult, Predicate, Redacted, Schema } from "effect"
import type { Node, ParseError } from "jsonc-parser"
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } from "jsonc-parser"
import * as Expansion from "./Expansion.js"

/** A server that is started as a child process. */
export interface StdioServer {
  readonly _tag: "Stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, RedactedType.Redacted>>
  readonly cwd: string | undefined
}

/** A server that is reached over HTTP. */
export interface HttpServer {
  readonly _tag: "Http"
  readonly url: string
  readonly headers: Readonly<Record<string, RedactedType.Redacted>>
  /** Whether the file asks for the older HTTP+SSE transport. */
  readonly sse: boolean
}

/** One server of the file. */
export interface Entry {
  readonly name: string
  readonly server: StdioServer | HttpServer
  readonly disabled: boolean
  /** What stands under `lifeline`: options of the backend, not decoded yet. */
  readonly options: unknown
  /** The problem at a key of this entry, for what only a later stage can find. */
  readonly problem: (key: ReadonlyArray<string | number>, message: string) => Problem
}

/** Something in the file that is not right. */
export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** The path of the key, for example `mcpServers.docs.args[0]`. */
  readonly key: string
  /** What is wrong and what would be right; quotes no value. */
  readonly message: string
}

/** A file that was read. A bad entry is in `problems` and does not stop the good ones. */
export interface McpJson {
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Problem>
}

/** The whole file is unusable: no JSON, or no object of servers in it. */
export class BrokenFile extends Data.TaggedError("BrokenFile")<{ readonly problem: Problem }> {}

/** A problem in one line. */
export const show = (problem: Problem): string =>
  `${problem.file}:${problem.line}: ${problem.key === "" ? "" : `${problem.key}: `}${problem.message}`

const accepted = <A, I>(schema: Schema.Schema<A, I>, what: string): Schema.Schema<A, I> =>
  schema.annotations({ message: () => ({ message: `must be ${what}`, override: true }) })

const text = accepted(Schema.NonEmptyString, "a string that is not empty")
const strings = accepted(Schema.String, "a string")
const flag = accepted(Schema.Boolean, "true or false")

const secret = accepted(
  Schema.transform(
    Schema.Union(Schema.String, Schema.Number, Schema.Boolean),
    Schema.RedactedFromSelf(Schema.String),
    { strict: true, decode: (value) => Redacted.make(String(value)), encode: (value) => Redacted.value(value) }
  ),
  "a string, a number or a boolean"
)

const secrets = Schema.optionalWith(
  accepted(Schema.Record({ key: Schema.String, value: Schema.Unknown }), "an object of strings").pipe(
    Schema.compose(Schema.Record({ key: Schema.String, value: secret }))
  ),
  { default: () => ({}) }
)

const common = {
  disabled: Schema.optionalWith(flag, { default: () => false }),
  lifeline: Schema.optional(Schema.Unknown)
} as const

const Stdio = Schema.Struct({
  ...common,
  command: text,
  args: Schema.optionalWith(
    accepted(Schema.Array(Schema.Unknown), "a list of strings").pipe(Schema.compose(Schema.Array(strings))),
    { default: () => [] }
  ),
  env: secrets,
  cwd: Schema.optional(text)
})

const httpUrl = accepted(
  Schema.String.pipe(Schema.filter((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol))),
  "an http:// or https:// address"
)

const httpTypes = ["http", "streamable-http", "streamableHttp", "streamable_http", "sse"] as const

const Http = Schema.Struct({
  ...common,
  url: httpUrl,
  headers: secrets,
  type: Schema.optional(
    accepted(Schema.Literal(...httpTypes), '"http", "streamable-http" or "sse" for a server with a url')
  )
})

/** The names that other programs give to `url`. */
const urlKeys = ["url", "serverUrl", "httpUrl"] as const

/** The keys whose strings are expanded. */
const expanded: ReadonlySet<string> = new Set([...urlKeys, "command", "args", "env", "cwd", "headers"])

type Path = ReadonlyArray<string | number>

const showPath = (path: Path): string =>
  path.reduce<string>(
    (shown, key) => typeof key === "number" ? `${shown}[${key}]` : shown ? `${shown}.${key}` : key,
    ""
  )

const lineAt = (source: string, offset: number): number => source.slice(0, offset).split("\n").length

/** The node at a path, or at the longest part of it that exists. */
const nearest = (tree: Node, path: Path): Node => {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(tree, path.slice(0, length))
    // The line of a key is where the key stands, not where its value begins.
    if (node) return node.parent?.type === "property" ? node.parent : node
  }
  return tree
}

const syntax = (file: string, source: string, error: ParseError): Problem => ({
  file,
  line: lineAt(source, error.offset),
  key: "",
  message: `not valid JSON: ${
    printParseErrorCode(error.error).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()
  }; comments and trailing commas are allowed`
})

/** The names of an object that occur more than once. */
const repeated = (object: Node): ReadonlySet<string> => {
  const names = (object.children ?? []).map((property) => String(property.children?.[0]?.value))
  return new Set(names.filter((name, index) => names.indexOf(name) !== index))
}

/** Reads the text of a file. `${..}` is taken from `env`. */
export const parse = (
  file: string,
  source: string,
  env: Readonly<Record<string, string | undefined>>
): Either.Either<McpJson, BrokenFile> => {
  const content = source.replace(/^\uFEFF/, "")
  const errors: Array<ParseError> = []
  const tree = parseTree(content, errors, { allowTrailingComma: true, disallowComments: false })
  const broken = (problem: Problem) => Either.left(new BrokenFile({ problem }))
  const [error] = errors
  if (error) return broken(syntax(file, content, error))
  if (!tree || tree.type !== "object") {
    return broken({ file, line: 1, key: "", message: 'must be an object with "mcpServers" in it' })
  }
  const at = (path: Path, message: string): Problem => ({
    file,
    line: lineAt(content, nearest(tree, path).offset),
    key: showPath(path),
    message
  })
  // VS Code calls it `servers`.
  const root = ["mcpServers", "servers"].find((key) => findNodeAtLocation(tree, [key]) !== undefined)
  if (root === undefined) return broken(at([], 'has no "mcpServers"; it is an object of servers by name'))
  const servers = findNodeAtLocation(tree, [root])
  if (servers?.type !== "object") return broken(at([root], "must be an object of servers by name"))
  const twice = repeated(servers)
  const problems = [...twice].map((name) => at([root, name], "is there more than once; give each server its own name"))
  const entries: Array<Entry> = []
  // Not by way of an object: that would reorder names such as "1" and lose "__proto__".
  for (const { children: [key, value] = [] } of servers.children ?? []) {
    const name = String(key?.value)
    const raw: unknown = value && getNodeValue(value)
    if (twice.has(name)) continue
    if (name === "") {
      problems.push(at([root, name], "needs a name"))
      continue
    }
    const found = entry(name, raw, env, (key, message) => at([root, name, ...key], message))
    Either.match(found, {
      onLeft: (bad) => problems.push(...bad),
      onRight: (good) => entries.push(good)
    })
  }
  return Either.right({ entries, problems })
}

const entry = (
  name: string,
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
  problem: Entry["problem"]
): Either.Either<Entry, ReadonlyArray<Problem>> => {
  const bad = (key: Path, message: string) => Either.left([problem(key, message)])
  if (!Predicate.isRecord(raw)) return bad([], "must be an object with a command or a url")
  const urlKey = urlKeys.find((key) => raw[key] !== undefined)
  const isStdio = raw["command"] !== undefined
  if (isStdio && urlKey) return bad([urlKey], "stands beside command; give one of the two")
  if (!isStdio && !urlKey) return bad([], "has neither command (a program to start) nor url (an address)")
  const problems: Array<Problem> = []
  const values = Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [
      key,
      expanded.has(key)
        ? Expansion.expand(value, env, (path, message) => problems.push(problem([key, ...path], message)))
        : value
    ])
  )
  if (problems.length > 0) return Either.left(problems)
  const decode = <A, I>(schema: Schema.Schema<A, I>, input: unknown) =>
    Either.mapLeft(
      Schema.decodeUnknownEither(schema, { errors: "all" })(input),
      (failed) => {
        const issues = ParseResult.ArrayFormatter.formatErrorSync(failed)
        // An optional key reports once more that it is not `undefined` either.
        const ours = issues.filter(({ message }) => message.startsWith("must be"))
        return (ours.length > 0 ? ours : issues).map(({ message, path }) =>
          problem(
            (path as Path).map((key) => key === "url" && urlKey ? urlKey : key),
            ours.length > 0 ? message : "is not acceptable here"
          )
        )
      }
    )
  const common = { name, problem }
  return isStdio
    ? Either.map(decode(Stdio, values), ({ args, command, cwd, disabled, env, lifeline }) => ({
      ...common,
      disabled,
      options: lifeline,
      server: { _tag: "Stdio", command, args, env, cwd }
    }))
    : Either.map(
      decode(Http, {
        ...values,
        url: Option.getOrUndefined(Option.map(Option.fromNullable(urlKey), (key) => values[key]))
      }),
      ({ disabled, headers, lifeline, type, url }) => ({
        ...common,
        disabled,
        options: lifeline,
        server: { _tag: "Http", url, headers, sse: type === "sse" }
      })
    )
}
