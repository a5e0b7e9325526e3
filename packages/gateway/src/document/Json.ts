import { getNodeValue, type Node as JsonNode, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser"
import * as checkDepth from "./checkDepth.js"
import { printer, type Syntax } from "./Syntax.js"
import { lineAt, type Node, parsed, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

const read = (text: string): JsonNode => {
  const errors: Array<ParseError> = []
  const root = parseTree(checkDepth.json(text), errors, { allowTrailingComma: true, disallowComments: false })
  const [error] = errors
  if (error !== undefined || root === undefined) {
    const what = error === undefined
      ? "is empty"
      : printParseErrorCode(error.error).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()
    throw new Unreadable(`not valid JSON: ${what}`, lineAt(text, error?.offset ?? 0))
  }
  return root
}

const spanOf = ({ length, offset }: JsonNode) => ({ start: offset, end: offset + length })

const node = (json: JsonNode): Node => {
  const span = spanOf(json)
  if (json.type === "array") return { ...span, kind: "list", flow: true, items: (json.children ?? []).map(node) }
  if (json.type !== "object") return { ...span, kind: "scalar", value: getNodeValue(json) }
  const pairs = (json.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined
      ? []
      : [{ key: String(key.value), keys: [spanOf(key)], value: node(value) }]
  )
  return { ...span, kind: "table", flow: true, pairs }
}

const valueOf = (json: JsonNode): Value.Value => {
  if (json.type === "array") return (json.children ?? []).map(valueOf)
  if (json.type !== "object") return Value.from(json.value)
  return new Map(
    (json.children ?? []).map((
      { children: [key, value] = [] }
    ) => [String(key?.value), value === undefined ? null : valueOf(value)])
  )
}

const quote = (text: string): string => JSON.stringify(text)

export const syntax: Syntax = {
  tree: (text) => parsed(() => node(read(text))),
  value: (text) => parsed(() => valueOf(read(text))),
  print: printer(quote, quote, ": "),
  printKey: quote,
  assign: ": ",
  keepsPrefix: false
}
