/**
 * `${VAR}`, `${VAR:-default}` and `${env:VAR}` in the strings of a configuration.
 */
import type { Problem } from "@mcp-lifeline/core"

/** Where variables are taken from. */
export type Variables = Readonly<Record<string, string | undefined>>

const reference = /\$\{([^}]*)\}/g
/** An object literal, or what JSON.parse makes, of whatever realm. An instance is not taken apart. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const variable = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * Replaces the references in every string of a value, however deep. What cannot be replaced is reported with its path and
 * left as it is. A variable that is set but empty takes its default, as in a shell. What a variable holds is not expanded
 * again, so no value of the environment can name another.
 */
export const expand = (
  value: unknown,
  variables: Variables,
  report: (path: Problem.Path, message: string) => void,
  path: Problem.Path = []
): unknown => {
  if (typeof value === "string") {
    return value.replace(reference, (whole, inside: string) => {
      const [, name, fallback] = variable.exec(inside) ?? []
      if (name === undefined) {
        report(
          path,
          `has \${${inside.split(":-")[0]}}, which is not known; write \${NAME}, \${NAME:-default} or \${env:NAME}`
        )
        return whole
      }
      const found = Object.hasOwn(variables, name) ? variables[name] : undefined
      if (fallback !== undefined) return found === undefined || found === "" ? fallback : found
      if (found === undefined) {
        report(
          path,
          `has \${${inside}}, which is not set; set ${name} in the environment or write \${${name}:-default}`
        )
        return whole
      }
      return found
    })
  }
  if (Array.isArray(value)) return value.map((item, index) => expand(item, variables, report, [...path, index]))
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, expand(item, variables, report, [...path, key])])
    )
  }
  return value
}
