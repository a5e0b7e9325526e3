/**
 * Replaces references in strings: `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}`, `${workspaceFolder}`.
 */
import type { Problem } from "@mcp-lifeline/core/options"
import { Predicate } from "effect"
import * as ClientText from "./ClientText.js"

export type Variables = Readonly<Record<string, string | undefined>>

export interface Sources {
  /** The environment; for `${input:id}`, by the id itself or in capitals (`api-key`: `API_KEY`). */
  readonly variables: Variables
  /** Depend on the file's path, as `workspaceFolder` and `userHome` do. They override variables of the same name. */
  readonly places?: Variables | undefined
  /** Defaults of the file's inputs, by id. */
  readonly inputs?: Variables | undefined
  /** Whether `{env:VAR}` is a reference, too. */
  readonly bare?: boolean | undefined
  /** Whether `env` and `headers` may refer to the client for which a server starts (`${client.name}`). */
  readonly clients?: boolean | undefined
}

/** Linear time: one search for an end serves all references open before it. */
const partsOf = <A>(
  text: string,
  isBare: boolean,
  replace: (whole: string, inside: string) => A
): ReadonlyArray<string | A> => {
  const parts: Array<string | A> = []
  let from = 0
  let close = -1
  for (let open = text.indexOf("{"); open !== -1; open = text.indexOf("{", Math.max(from, open + 1))) {
    if (close < open) close = text.indexOf("}", open)
    if (close === -1) break
    const hasDollar = open > from && text[open - 1] === "$"
    if (!hasDollar && !(isBare && (text.startsWith("env:", open + 1) || text.startsWith("file:", open + 1)))) continue
    const start = hasDollar ? open - 1 : open
    parts.push(text.slice(from, start), replace(text.slice(start, close + 1), text.slice(open + 1, close)))
    from = close + 1
  }
  parts.push(text.slice(from))
  return parts
}

export type Raw = Readonly<Record<string, unknown>>

/** An object literal or from JSON.parse, of any realm; no instance of a class. */
export const isPlain = (value: unknown): value is Raw => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** `NAME`, `env:NAME`, `input:ID`, `/`; each may have a default. */
const shape = /^(?:(env|input):)?([A-Za-z_][A-Za-z0-9_]*|(?<=^input:)[^:}]+|(?<=^)\/)(?::-(.*))?$/s

const variableOf = (id: string): string => id.toUpperCase().replace(/[^A-Z0-9]+/g, "_")

export const own = <A>(values: Readonly<Record<string, A>> | undefined, name: string): A | undefined =>
  values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined

export const at = (raw: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce((value, key) => Predicate.isRecord(value) ? own(value, key) : undefined, raw)

type Looked = { readonly value: string } | { readonly problem: string }

const look = (inside: string, { inputs, places, variables }: Sources): Looked => {
  if (ClientText.isReference(inside)) return { problem: ClientText.notHere(inside) }
  const [, kind, name, fallback] = shape.exec(inside) ?? []
  if (name === undefined) {
    const known = "${NAME}, ${NAME:-default}, ${env:NAME} or ${input:ID}"
    return { problem: `has \${${inside.split(":-")[0]}}, which is not known; write ${known}` }
  }
  const place = kind === undefined ? own(places, name) : undefined
  const found = kind === "input"
    ? own(variables, name) ?? own(variables, variableOf(name)) ?? own(inputs, name)
    : place ?? own(variables, name)
  if (fallback !== undefined) return { value: found === undefined || found === "" ? fallback : found }
  if (found !== undefined) return { value: found }
  const variable = kind === "input" ? variableOf(name) : name
  const withDefault = kind === "input" ? `\${input:${name}:-default}` : `\${${name}:-default}`
  return { problem: `has \${${inside}}, which is not set; set ${variable} in the environment or write ${withDefault}` }
}

/**
 * In every string, at any depth. Reports and keeps a reference that it cannot replace. An empty variable takes its default, as in a shell.
 * Values are not expanded again, so no variable can refer to another. `isKept`: whether `${NAME}` stays, since the program replaces it
 * itself.
 */
export const expand = (
  value: unknown,
  sources: Sources,
  report: (path: Problem.Path, message: string) => void,
  path: Problem.Path = [],
  isKept: (name: string, path: Problem.Path) => boolean = () => false
): unknown => {
  if (typeof value === "string") {
    return partsOf(value, sources.bare === true, (whole, inside) => {
      const looked = isKept(inside, path) ? { value: whole } : look(inside, sources)
      if ("value" in looked) return looked.value
      report(path, looked.problem)
      return whole
    }).join("")
  }
  const inside = (item: unknown, key: string | number) => expand(item, sources, report, [...path, key], isKept)
  if (Array.isArray(value)) return value.map(inside)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(item, key)]))
}

/** Replaces all references but those to the client. `undefined` after a reported problem. */
export const expandForClient = (
  text: string,
  sources: Sources,
  report: (message: string) => void
): ClientText.ClientText | undefined => {
  let isWrong = false
  const parts = partsOf(text, sources.bare === true, (whole, inside): string | ClientText.Reference => {
    const looked = ClientText.isReference(inside) ? ClientText.read(inside) : look(inside, sources)
    if ("value" in looked) return looked.value
    isWrong = true
    report(looked.problem)
    return whole
  })
  return isWrong ? undefined : ClientText.make(parts)
}
