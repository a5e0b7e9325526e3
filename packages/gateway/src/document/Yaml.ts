/**
 * YAML. The text is edited at the places that the parser names, and never written anew: that would lose indentation and blank lines.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node as YamlNode, parseAllDocuments } from "yaml"
import { printer, type Syntax } from "./Syntax.js"
import { type Node, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

const read = (text: string) => {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, keepSourceTokens: false, prettyErrors: false })
  const [document, second] = Array.isArray(documents) ? documents : []
  if (second !== undefined) throw new Unreadable("holds several YAML documents")
  const [error] = document?.errors ?? []
  if (error !== undefined) {
    throw new Unreadable(`line ${lines.linePos(error.pos[0]).line}: not valid YAML: ${error.message.split("\n")[0]}`)
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
      return [{ key: String(key.value), keys: [{ start, end }], value: node(value as YamlNode | null) }]
    })
    return { ...span, kind: "table", flow: yaml.flow === true, pairs }
  }
  // What an alias stands for is written elsewhere, for others too.
  return { ...span, kind: "scalar", value: isScalar(yaml) ? yaml.value : isAlias(yaml) ? Symbol(yaml.source) : null }
}

/** Without quotes where nobody can take it for anything but a text. */
const print = (text: string): string =>
  /^[A-Za-z/][\w./@-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text)

export const syntax: Syntax = {
  tree: (text) => node(read(text)?.contents),
  value: (text) => Value.from(read(text)?.toJS({ mapAsMap: true })),
  print: printer(print, print, ": "),
  printKey: print,
  assign: ": ",
  keepsPrefix: false
}
