import { getNodeValue, type Node as JsonNode, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser"
import * as checkDepth from "./checkDepth.js"
import { printer, type Syntax } from "./Syntax.js"
import { lineAt, type Node, parsed, unmarked, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

const read = (text: string): Node => {
  const errors: Array<ParseError> = []
  const root = parseTree(checkDepth.json(unmarked(text)), errors, { allowTrailingComma: true, disallowComments: false })
  const [error] = errors
  if (error === undefined && root !== undefined) return node(root)
  const what = error === undefined ? "ValueExpected" : printParseErrorCode(error.error)
  throw new Unreadable(
    `not valid JSON: ${
      what.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()
    }; comments and trailing commas are allowed`,
    lineAt(text, error?.offset ?? 0)
  )
}

const spanOf = ({ length, offset }: JsonNode) => ({ start: offset, end: offset + length })

const node = (json: JsonNode): Node => {
  const span = spanOf(json)
  if (json.type === "array") return { ...span, kind: "list", flow: true, items: (json.children ?? []).map(node) }
  if (json.type !== "object") return { ...span, kind: "scalar", value: getNodeValue(json) }
  const pairs = (json.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined
      ? []
      : [{ key: String(key.value), keys: [spanOf(key)] as const, value: node(value) }]
  )
  return { ...span, kind: "table", flow: true, pairs }
}

const valueOf = (node: Node): Value.Value => {
  if (node.kind === "list") return node.items.map(valueOf)
  if (node.kind === "scalar") return Value.from(node.value)
  return new Map(node.pairs.map(({ key, value }) => [key, valueOf(value)]))
}

const quote = (text: string): string => JSON.stringify(text)

export const syntax: Syntax = {
  tree: (text) => parsed(() => read(text)),
  value: (text) => parsed(() => valueOf(read(text))),
  print: printer(quote, quote, ": "),
  printKey: quote,
  assign: ": ",
  keepsPrefix: false
}
