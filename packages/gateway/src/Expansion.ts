/**
 * `${VAR}`, `${VAR:-default}` and `${env:VAR}` in the strings of a configuration.
 */
import { Predicate } from "effect"

type Path = ReadonlyArray<string | number>

const reference = /\$\{([^}]*)\}/g
const variable = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * Replaces the references in every string of a value, however deep. What cannot be replaced is reported with its path and
 * left as it is. A variable that is set but empty takes its default, as in a shell.
 */
export const expand = (
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  report: (path: Path, message: string) => void,
  path: Path = []
): unknown => {
  if (typeof value === "string") {
    return value.replace(reference, (whole, inside: string) => {
      const [, name, fallback] = variable.exec(inside) ?? []
      if (name === undefined) {
        report(path, `\${${inside.split(":-")[0]}} is not known; write \${NAME}, \${NAME:-default} or \${env:NAME}`)
        return whole
      }
      const found = env[name]
      if (fallback !== undefined) return found === undefined || found === "" ? fallback : found
      if (found === undefined) {
        report(path, `\${${inside}} is not set; set ${name} in the environment or write \${${name}:-default}`)
        return whole
      }
      return found
    })
  }
  if (Array.isArray(value)) return value.map((item, index) => expand(item, env, report, [...path, index]))
  if (Predicate.isRecord(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, expand(item, env, report, [...path, key])])
    )
  }
  return value
}
