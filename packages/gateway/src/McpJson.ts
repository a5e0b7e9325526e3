/**
 * An `mcp.json`, in the dialects in use: what is right in it, and for each thing that is not, file, line, key and remedy.
 *
 * Here the text is read, with its positions; what it means says `McpConfig`, which reads the configuration of `connectAll`, too.
 */
import { McpConfig } from "@mcp-lifeline/config"
import { Policy, Problem as OptionProblem } from "@mcp-lifeline/core"
import { Data, Either } from "effect"
import type { Node, ParseError } from "jsonc-parser"
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } from "jsonc-parser"

/** One server of the file. */
export interface Entry {
  readonly name: string
  readonly server: McpConfig.StdioServer | McpConfig.HttpServer
  /** Options of the backend: those of the file below its own. */
  readonly policy: Policy.PolicyOptions
  /** The problem at a key of this entry, for what only a later stage can find. */
  readonly problem: (key: OptionProblem.Path, message: string) => Problem
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

/**
 * A file that was read. A bad entry is in `problems` and does not stop the good ones; an option for all servers that is not
 * acceptable stops all. So is a key that means nothing here, which stops nothing.
 */
export interface McpJson {
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Problem>
}

/** The whole file is unusable: no JSON, or no object of servers in it. */
export class BrokenFile extends Data.TaggedError("BrokenFile")<{ readonly problem: Problem }> {}

/** A problem in one line. */
export const show = (problem: Problem): string =>
  `${problem.file}:${problem.line}: ${problem.key === "" ? "" : `${problem.key}: `}${problem.message}`

type Path = OptionProblem.Path

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

/** A key that its object has had before. */
interface Repeated {
  readonly path: Path
  readonly offset: number
}

/** All of them, at any depth. */
const repeated = (node: Node | undefined, path: Path = []): ReadonlyArray<Repeated> => {
  const seen = new Set<string>()
  return (node?.children ?? []).flatMap((child, index) => {
    if (node?.type === "array") return repeated(child, [...path, index])
    const key = String(child.children?.[0]?.value)
    const below = [...path, key]
    const again = seen.has(key) ? [{ path: below, offset: child.offset }] : []
    seen.add(key)
    return [...again, ...repeated(child.children?.[1], below)]
  })
}

/** Reads the text of a file. `${..}` is taken from `env`. */
export const parse = (
  file: string,
  source: string,
  env: McpConfig.Variables
): Either.Either<McpJson, BrokenFile> => {
  const content = source.replace(/^\uFEFF/, "")
  const errors: Array<ParseError> = []
  const tree = parseTree(content, errors, { allowTrailingComma: true, disallowComments: false })
  const broken = (problem: Problem) => Either.left(new BrokenFile({ problem }))
  const [error] = errors
  if (error) return broken(syntax(file, content, error))
  if (tree === undefined) return broken({ file, line: 1, key: "", message: "is empty" })
  const place = (offset: number, path: Path, message: string): Problem => ({
    file,
    line: lineAt(content, offset),
    key: OptionProblem.showPath(path),
    message
  })
  const at = (path: Path, message: string): Problem => place(nearest(tree, path).offset, path, message)
  const { problems: around, value: top } = McpConfig.readTop(getNodeValue(tree))
  if (top === undefined) {
    const [problem] = around.toSorted((a, b) => Number(a.key !== "misspelt") - Number(b.key !== "misspelt"))
    return broken(at(problem?.path ?? [], problem?.message ?? "has no servers"))
  }
  const ours = new Set<string | number>([top.key, "lifeline", ...Policy.groups])
  const twice = repeated(tree).filter(({ path: [first = ""] }) => ours.has(first))
  const problems = [
    // What else stands beside the servers belongs to other programs.
    ...around.filter(({ key }) => key === undefined || key === "misspelt").map(({ message, path }) =>
      at(path, message)
    ),
    ...twice.map(({ offset, path }) =>
      place(
        offset,
        path,
        `is there more than once; ${path.length === 2 ? "give each server its own name" : "keep one"}`
      )
    )
  ]
  const entries: Array<Entry> = []
  // Not by way of an object: that would reorder names such as "1" and lose "__proto__".
  for (const { children: [key, value] = [] } of findNodeAtLocation(tree, [top.key])?.children ?? []) {
    const name = String(key?.value)
    const problem: Entry["problem"] = (path, message) => at([top.key, name, ...path], message)
    if (name === "") problems.push(problem([], "needs a name"))
    const { problems: found, value: server } = McpConfig.readServer(value && getNodeValue(value), env)
    if (twice.some(({ path }) => path[0] === top.key && path[1] === name && path.length === 2)) continue
    problems.push(
      ...found.filter((one) => one.key !== "foreign").map((one) =>
        problem(one.path, one.key === "unknown" ? `${one.message}. It has no effect` : one.message)
      )
    )
    const isSpoilt = name === "" || twice.some(({ path }) => path[0] === top.key && path[1] === name) ||
      found.some((one) => one.key === undefined || one.key === "misspelt")
    if (server === undefined || isSpoilt) continue
    entries.push({ name, server: server.reach, policy: Policy.merge(top.policy, server.policy), problem })
  }
  // What is wrong with the options of all servers is wrong with each of them.
  const isUsable = around.every((one) => one.key !== undefined) &&
    twice.every(({ path }) => path[0] === top.key && path.length > 1)
  return Either.right({ entries: isUsable ? entries : [], problems })
}
