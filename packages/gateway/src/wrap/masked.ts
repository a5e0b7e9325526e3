/**
 * JSON without what looks like a secret. Pure, and linear in the length of what it is given.
 */
import { Nesting } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"

const mask = "[masked]"

/** What makes the name of a member that of a secret, wherever it stands in it: `X-API-Key`, `githubTokens`, `AWS_SECRET_ACCESS_KEY`. */
const secretName =
  /authorization|cookie|passw|pass[-_]?(code|phrase)|secret|credential|(api|access|private|signing|encryption|ssh)[-_]?key|(^|[-_a-z])(access|auth|bearer|id|refresh|session)?[-_]?tokens?$|(^|[-_])(otp|totp|pwd|pat|jwt)$|(Otp|Pwd|Jwt)$/i
/** Names that are like it, and are no secrets: the protocol's own. */
const publicName = /^(progressToken|stopReason)$/
/** How many tokens of a model, not which: `maxTokens`, `output_tokens`. */
const count = /tokens?$/i
/** What a member of this name has is a secret only where it has the form of one: it may be the number of an error, or a program. */
const codeName = /^(auth(orization)?[-_]?|verification[-_]?|device[-_]?|user[-_]?)?code$/i

const isSecret = (name: string, value: unknown): boolean => {
  if (codeName.test(name)) {
    return typeof value === "string" && value.length >= 6 && value.length <= 2048 && !/\s/.test(value)
  }
  if (!secretName.test(name) || publicName.test(name)) return false
  return typeof value === "number" ? !count.test(name) : typeof value !== "boolean" && value !== null
}

/** What may stay of the schema of a secret: what kind of text it is. */
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

/** Texts that are secret by their form: credentials of HTTP and of addresses, and keys by their beginnings. */
const forms =
  /\b(Bearer|Basic)\s{1,20}[A-Za-z0-9._~+/=-]{8,}|(?<![A-Za-z0-9])(sk|rk|pk|gh[opsur]|github_pat|glpat|xox[a-z]|xapp|npm|pypi|hf|shp(at|ss|ca)|dop_v1|whsec)[-_][A-Za-z0-9][A-Za-z0-9_-]{15,}|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bya29\.[\w-]{16,}|(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)|(?<=[?&][\w-]*(token|key|secret|password|signature|code)=)[^&\s"]+/gi

/** Three parts with points between them, from where they begin. */
const parts = /(?<![\w-])[\w-]+\.[\w-]+\.[\w-]*/g
/** What a web token begins with: `{"`, encoded. */
const webToken = /(?<!\w)eyJ[\w-]{8}/

const withoutWebTokens = (text: string): string =>
  text.replace(parts, (all) => {
    const start = all.indexOf("eyJ") < 0 ? -1 : all.slice(0, all.indexOf(".")).search(webToken)
    return start < 0 ? all : all.slice(0, start) + mask
  })

const keyBegins = "-----BEGIN "
const keyEnds = "-----END "

/** Without private keys in PEM; one that has no end goes to the end of the text. */
const withoutKeys = (text: string): string => {
  let shown = ""
  let from = 0
  for (let start = text.indexOf(keyBegins); start !== -1; start = text.indexOf(keyBegins, start + 1)) {
    const title = text.slice(start, start + 80)
    if (start < from || !/^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY/.test(title)) continue
    shown += text.slice(from, start) + mask
    const end = text.indexOf(keyEnds, start)
    if (end === -1) return shown
    const line = text.indexOf("-----", end + keyEnds.length)
    from = line === -1 ? text.length : line + 5
  }
  return shown + text.slice(from)
}

/** `name: value`, `"name": "value"` and `name=value` in a text. */
const assignments =
  /(?<![\w-])([\w-]{1,100})(["']?\s{0,8}[:=]\s{0,8})("(?:[^"\\]|\\.){1,4096}"|'[^']{1,4096}'|[^\s"'{}[\],;&]{1,4096})/g

const withoutAssigned = (text: string): string =>
  text.replace(assignments, (all, name: string, between: string, value: string) => {
    const quote = value.startsWith('"') || value.startsWith("'") ? value.slice(0, 1) : ""
    const bare = quote === "" ? value : value.slice(1, -1)
    // What has been masked as a credential of HTTP has its scheme before it.
    if (bare === "" || bare.includes(mask) || !isSecret(name, /^[\d.]+$/.test(bare) ? Number(bare) : bare)) return all
    return /^(true|false|null|undefined|string|number|boolean)$/.test(bare)
      ? all
      : name + between + quote + mask + quote
  })

/** Characters of one text that are looked at, and levels of JSON within texts. */
const most = { text: 1024 * 1024, within: 3 }

/** A text not longer than is looked at. What may be the beginning of a secret does not stay at its end. */
const cut = (text: string): string => {
  if (text.length <= most.text) return text
  let end = most.text
  while (end > most.text - 8192 && !/\s/.test(text[end - 1] ?? " ")) end--
  return `${text.slice(0, end)}[cut: ${text.length} characters]`
}

/** JSON that a text is, masked; undefined where it is none. */
const ofJson = (text: string, within: number): string | undefined => {
  const begin = text.trimStart()[0]
  if (within >= most.within || (begin !== "{" && begin !== "[")) return undefined
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

/** `isOfSchema`: the names of the members are those of parameters, and what they have describes them. */
const ofValue = (value: unknown, isOfSchema: boolean, within: number): unknown => {
  if (typeof value === "string") return ofText(value, within)
  if (Array.isArray(value)) return value.map((one) => ofValue(one, false, within))
  if (!Predicate.isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (!isSecret(name, one)) return [name, ofValue(one, name === "properties", within)]
      return [name, isOfSchema && Predicate.isRecord(one) ? ofSchema(one) : mask]
    })
  )
}

/** A value of JSON, nested no deeper than others may nest theirs, without what looks like a secret. */
export const masked = (value: unknown): unknown => ofValue(value, false, 0)
