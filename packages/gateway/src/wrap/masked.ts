/**
 * Masks what looks like a secret in JSON. Pure, and linear in the length of the input.
 */
import { ExactJson, Nesting } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"

const mask = "[masked]"

/** A part of a name that makes it the name of a secret: `X-API-Key`, `githubTokens`, `AWS_SECRET_ACCESS_KEY`. */
const secretName =
  /authorization|cookie|passw|pass[-_]?(code|phrase)|secret|credential|(api|access|private|signing|encryption|ssh)[-_]?key|(^|[-_a-z])(access|auth|bearer|id|refresh|session)?[-_]?tokens?$|(^|[-_])(otp|totp|pwd|pat|jwt)$|(Otp|Pwd|Jwt)$/i
/** Names of the protocol that match, and are not of secrets. */
const publicName = /^(progressToken|stopReason)$/
/** Names of which a number counts the tokens of a model, and is no secret: `maxTokens`, `output_tokens`. */
const count = /tokens?$/i
/** Names whose value is masked only if it has the form of a secret: it may also be the number of an error, or source code. */
const codeName = /^(auth(orization)?[-_]?|verification[-_]?|device[-_]?|user[-_]?)?code$/i
/**
 * The names of errors: `ECONNREFUSED`, `ERR_TLS_CERT_ALTNAME_INVALID`, `UNAUTHENTICATED`, `invalid_grant`, `NoSuchBucket`, `Timeout`. Codes that
 * are secrets are no words; those that people type in capitals have eight letters at most.
 */
const errorName =
  /^(E[A-Z]{3,14}|[A-Z]{9,20}|ABORTED|INTERNAL|TIMEOUT|UNKNOWN|[A-Z]{2,15}[0-9]?(_[A-Z0-9]{1,15}){1,6}|[a-z]{3,20}[0-9]?([-_.][a-z]{2,20}){0,6}|[A-Z][a-z]{4,19}|([A-Z]?[a-z]{1,14})([A-Z][a-z]{2,14}){1,6})$/

const isSecret = (name: string, value: unknown): boolean => {
  if (codeName.test(name)) {
    if (typeof value !== "string" || value.length < 6 || value.length > 2048 || /\s/.test(value)) return false
    return !/^code$/i.test(name) || !errorName.test(value)
  }
  if (!secretName.test(name) || publicName.test(name)) return false
  return typeof value === "number" ? !count.test(name) : typeof value !== "boolean" && value !== null
}

/** Keywords of the schema of a secret that are not masked. */
const schemaWords: ReadonlySet<string> = new Set([
  "type",
  "title",
  "description",
  "format",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "nullable",
  "writeOnly",
  "$ref"
])

const ofSchema = (schema: Readonly<Record<string, unknown>>): unknown =>
  Object.fromEntries(
    Object.entries(schema).map(([word, value]) => [word, schemaWords.has(word) ? ofValue(value, false, 0) : mask])
  )

/** Texts that have the form of a secret: credentials of HTTP, credentials in URLs, and keys with known prefixes. */
const forms =
  /\b(Bearer|Basic)\s{1,20}[A-Za-z0-9._~+/=-]{8,}|(?<![A-Za-z0-9])(sk|rk|pk|gh[opsur]|github_pat|glpat|xox[a-z]|xapp|npm|pypi|hf|shp(at|ss|ca)|dop_v1|whsec)[-_][A-Za-z0-9][A-Za-z0-9_-]{15,}|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bya29\.[\w-]{16,}|(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)|(?<=[?&][\w-]*(token|key|secret|password|signature|code)=)[^&\s"]+/gi

/** Three parts, separated by points. */
const parts = /(?<![\w-])[\w-]+\.[\w-]+\.[\w-]*/g
/** The beginning of a JSON Web Token: `{"` in base64. */
const webToken = /(?<!\w)eyJ[\w-]{8}/

const withoutWebTokens = (text: string): string =>
  text.replace(parts, (all) => {
    const start = all.indexOf("eyJ") < 0 ? -1 : all.slice(0, all.indexOf(".")).search(webToken)
    return start < 0 ? all : all.slice(0, start) + mask
  })

const keyBegins = "-----BEGIN "
const keyEnds = "-----END "

/** Masks private keys in PEM. One without an end is masked to the end of the text. */
const withoutKeys = (text: string): string => {
  let result = ""
  let from = 0
  for (let start = text.indexOf(keyBegins); start !== -1; start = text.indexOf(keyBegins, start + 1)) {
    const title = text.slice(start, start + 80)
    if (start < from || !/^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY/.test(title)) continue
    result += text.slice(from, start) + mask
    const end = text.indexOf(keyEnds, start)
    if (end === -1) return result
    const line = text.indexOf("-----", end + keyEnds.length)
    from = line === -1 ? text.length : line + 5
  }
  return result + text.slice(from)
}

/** `name: value`, `"name": "value"` and `name=value` in a text. */
const assignments =
  /(?<![\w-])([\w-]{1,100})(["']?\s{0,8}[:=]\s{0,8})("(?:[^"\\]|\\.){1,4096}"|'[^']{1,4096}'|[^\s"'{}[\],;&]{1,4096})/g

const withoutAssigned = (text: string): string =>
  text.replace(assignments, (all, name: string, between: string, value: string) => {
    const quote = value.startsWith('"') || value.startsWith("'") ? value.slice(0, 1) : ""
    const bare = quote === "" ? value : value.slice(1, -1)
    // A masked credential of HTTP still has its scheme before the mask.
    if (bare === "" || bare.includes(mask) || !isSecret(name, /^[\d.]+$/.test(bare) ? Number(bare) : bare)) return all
    return /^(true|false|null|undefined|string|number|boolean)$/.test(bare)
      ? all
      : name + between + quote + mask + quote
  })

/** How many characters of a text are searched, and how many levels of JSON inside texts. */
const limits = { text: 1024 * 1024, depth: 3 }

/** Cuts a long text at a blank, so that no beginning of a secret remains at its end. */
const cut = (text: string): string => {
  if (text.length <= limits.text) return text
  let end = limits.text
  while (end > limits.text - 8192 && !/\s/.test(text[end - 1] ?? " ")) end--
  return `${text.slice(0, end)}[cut: ${text.length} characters]`
}

/** Masks a text that is JSON; undefined if it is not. */
const ofJson = (text: string, within: number): string | undefined => {
  const begin = text.trimStart()[0]
  if (within >= limits.depth || (begin !== "{" && begin !== "[")) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return Nesting.isDeeper(value, Nesting.defaultDepth) ? undefined : JSON.stringify(ofValue(value, false, within + 1))
  } catch {
    return undefined
  }
}

const ofText = (whole: string, within: number): string => {
  const text = cut(whole)
  const json = ofJson(text, within)
  if (json !== undefined) return json === JSON.stringify(JSON.parse(text)) ? text : json
  return withoutAssigned(withoutWebTokens(withoutKeys(text)).replace(forms, mask))
}

/** With `isOfSchema`, the members are parameters, and their values are schemas. */
const ofValue = (value: unknown, isOfSchema: boolean, within: number): unknown => {
  if (typeof value === "string") return ofText(value, within)
  if (Array.isArray(value)) return ExactJson.copied(value, value.map((one) => ofValue(one, false, within)))
  if (!Predicate.isRecord(value)) return value
  const shown = Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (!isSecret(name, one)) return [name, ofValue(one, name === "properties", within)]
      return [name, isOfSchema && Predicate.isRecord(one) ? ofSchema(one) : mask]
    })
  )
  return ExactJson.copied(value, shown)
}

/** Masks secrets in a JSON value. The value must not be nested deeper than the usual limit of messages. */
export const masked = (value: unknown): unknown => ofValue(value, false, 0)
