/**
 * Edits change the text at the positions that the parser gives: printing the whole document would lose indentation and blank lines.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node as YamlNode, parseAllDocuments, visit } from "yaml"
import * as checkDepth from "./checkDepth.js"
import { printer, type Syntax } from "./Syntax.js"
import { type Node, parsed, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

const read = (text: string) => {
  const lines = new LineCounter()
  const documents = parseAllDocuments(checkDepth.yaml(text), {
    lineCounter: lines,
    keepSourceTokens: false,
    prettyErrors: false
  })
  const [document, second] = Array.isArray(documents) ? documents : []
  if (second !== undefined) throw new Unreadable("holds several YAML documents")
  const [error] = document?.errors ?? []
  if (error !== undefined) {
    throw new Unreadable(`line ${lines.linePos(error.pos[0]).line}: not valid YAML: ${error.message.split("\n")[0]}`)
  }
  if (document !== undefined) {
    visit(document, {
      Alias: (_, { source }, path) => {
        const isWithin = path.some((one) => (isMap(one) || isSeq(one)) && one.anchor === source)
        if (isWithin) throw new Unreadable(`not valid YAML: what is named ${source} contains itself`)
      }
    })
  }
  return document
}

const node = (yaml: YamlNode | null | undefined): Node => {
  const [start = 0, end = 0] = yaml?.range ?? []
  const span = { start, end }
  if (isSeq(yaml)) {
    return {
      ...span,
      kind: "list",
      flow: yaml.flow === true,
      items: yaml.items.map((item) => node(item as YamlNode))
    }
  }
  if (isMap(yaml)) {
    const pairs = yaml.items.flatMap(({ key, value }) => {
      if (!isScalar(key)) return []
      const [start = 0, end = 0] = key.range ?? []
      return [{ key: String(key.value), keys: [{ start, end }] as const, value: node(value as YamlNode | null) }]
    })
    return { ...span, kind: "table", flow: yaml.flow === true, pairs }
  }
  // The value of an alias is written elsewhere, and may have other aliases, so it cannot be edited here.
  return { ...span, kind: "scalar", value: isScalar(yaml) ? yaml.value : isAlias(yaml) ? Symbol(yaml.source) : null }
}

/** Without quotes if the text cannot be read as anything else. */
const print = (text: string): string =>
  /^[A-Za-z/][\w./@-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text)

/** Aliases that expand to too much are an error here, but not in the tree. */
const valueOf = (document: ReturnType<typeof read>): Value.Value => {
  try {
    return Value.from(document?.toJS({ mapAsMap: true }))
  } catch (error) {
    if (error instanceof RangeError) throw error
    throw new Unreadable(`not valid YAML: ${String((error as Error).message).split("\n", 1)[0]}`)
  }
}

export const syntax: Syntax = {
  tree: (text) => parsed(() => node(read(text)?.contents)),
  value: (text) => parsed(() => valueOf(read(text))),
  print: printer(print, print, ": "),
  printKey: print,
  assign: ": ",
  keepsPrefix: false
}
