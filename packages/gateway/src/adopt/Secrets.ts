/**
 * Keeps secrets of a configuration out of what is shown of it. Pure.
 */
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import * as Value from "../document/Value.js"
import * as Entries from "./Entries.js"

/** Tables whose values may be secret. */
const tables = ["env", "environment", "envs", "headers", "http_headers", "requestOptions"]
const words = ["command", "cmd", "args", "url", "serverUrl", "httpUrl", "uri"]

const textsIn = (value: Value.Value | undefined): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  return (Value.isTable(value) ? [...value.values()] : Value.isList(value) ? value : []).flatMap(textsIn)
}

/** A text that only refers to a variable is no secret. */
const isReference = (text: string): boolean => /\$\{|\{env:/.test(text)

/** The texts of a configuration that are not to be shown: values of headers and variables, and arguments that sound like a secret. */
export const find = (root: Value.Value, sections: ReadonlyArray<Entries.Section>): Secrets.Secrets =>
  Entries.read(root, sections).flatMap(({ value }) => {
    const values = tables.flatMap((key) => textsIn(Value.at(value, [key])))
    return Secrets.collect(
      Object.fromEntries(values.entries()),
      words.flatMap((key) => textsIn(Value.at(value, [key])))
    )
  }).filter((text) => !isReference(text)).toSorted((a, b) => b.length - a.length)

/** A text without them. */
export const mask = Secrets.mask
