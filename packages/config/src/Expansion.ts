/**
 * References such as `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}` and `${workspaceFolder}` in the strings of a configuration.
 */
import type { Problem } from "@mcp-lifeline/core"

/** Values by name. */
export type Variables = Readonly<Record<string, string | undefined>>

/** Where the values of references are taken from. */
export interface Sources {
  /** The environment, for `${VAR}` and `${env:VAR}`; also for `${input:id}`, by the id itself or in capitals (`api-key`: `API_KEY`). */
  readonly variables: Variables
  /** What the name of the file decides: `workspaceFolder`, `userHome` and the like. They win over variables of the same name. */
  readonly places?: Variables | undefined
  /** The defaults of the file's own inputs, by their ids. */
  readonly inputs?: Variables | undefined
  /** Whether `{env:VAR}`, without the dollar, is a reference, too. */
  readonly bare?: boolean | undefined
}

const references = /\$\{([^}]*)\}/g
const bareReferences = /\$\{([^}]*)\}|\{((?:env|file):[^}]*)\}/g

/** An object literal, or what JSON.parse makes, of whatever realm. An instance is not taken apart. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** `NAME`, `env:NAME`, `input:ID`, `/`; each may have a default. */
const shape = /^(?:(env|input):)?([A-Za-z_][A-Za-z0-9_]*|(?<=^input:)[^:}]+|(?<=^)\/)(?::-(.*))?$/s

/** The variable of the environment that stands for an input. */
const variableOf = (id: string): string => id.toUpperCase().replace(/[^A-Z0-9]+/g, "_")

const own = (values: Variables | undefined, name: string): string | undefined =>
  values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined

/** A reference: its value, or what is wrong with it. */
type Looked = { readonly value: string } | { readonly problem: string }

const look = (inside: string, { inputs, places, variables }: Sources): Looked => {
  const [, kind, name, fallback] = shape.exec(inside) ?? []
  if (name === undefined) {
    return {
      problem: `has \${${
        inside.split(":-")[0]
      }}, which is not known; write \${NAME}, \${NAME:-default}, \${env:NAME} or \${input:ID}`
    }
  }
  const place = kind === undefined ? own(places, name) : undefined
  const found = kind === "input"
    ? own(variables, name) ?? own(variables, variableOf(name)) ?? own(inputs, name)
    : place ?? own(variables, name)
  if (fallback !== undefined) return { value: found === undefined || found === "" ? fallback : found }
  if (found !== undefined) return { value: found }
  const variable = kind === "input" ? variableOf(name) : name
  const withDefault = kind === "input" ? `\${input:${name}:-default}` : `\${${name}:-default}`
  return {
    problem: `has \${${inside}}, which is not set; set ${variable} in the environment or write ${withDefault}`
  }
}

/**
 * Replaces the references in every string of a value, however deep. What cannot be replaced is reported with its path and
 * left as it is. A variable that is set but empty takes its default, as in a shell. What a variable holds is not expanded
 * again, so no value of the environment can name another.
 */
export const expand = (
  value: unknown,
  sources: Sources,
  report: (path: Problem.Path, message: string) => void,
  path: Problem.Path = []
): unknown => {
  if (typeof value === "string") {
    return value.replace(
      sources.bare === true ? bareReferences : references,
      (whole, inside: string | undefined, bare: string | undefined) => {
        const looked = look(inside ?? bare ?? "", sources)
        if ("value" in looked) return looked.value
        report(path, looked.problem)
        return whole
      }
    )
  }
  if (Array.isArray(value)) return value.map((item, index) => expand(item, sources, report, [...path, index]))
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, expand(item, sources, report, [...path, key])])
    )
  }
  return value
}
