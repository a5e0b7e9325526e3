/** Every function takes time in proportion to the texts, which servers and clients choose. */
import { Predicate } from "effect"
import { type Kind, longestUri } from "../catalog/Kind.js"
import { unlessThrown } from "../internal/thrown.js"
import * as Check from "../options/Check.js"
import * as Problem from "../options/Problem.js"

export type Routed = Exclude<Kind, "resourceTemplates">

export interface Wanted {
  readonly kind: Routed
  readonly name: string
}

export const longest = 64

const placeholder = "{server}"

export const standardPrefix = `${placeholder}__`

const longestPrefix = 40

export const reserved = "lifeline__"

const prefixForm = /^[A-Za-z0-9_-]*(\{server\}[A-Za-z0-9_-]*)?$/

export const checkPrefix: Check.Check = Check.described(
  (value, path) => {
    if (Predicate.isString(value) && value.length > longestPrefix) {
      const message =
        `has ${value.length} characters; accepted: at most ${longestPrefix}, so that names keep most of their 64`
      return [{ path, message }]
    }
    if (!Predicate.isString(value) || !prefixForm.test(value)) return [Problem.wrong(path, value, accepted)]
    if (!value.startsWith(reserved)) return []
    const other = `give another text, such as "${standardPrefix}"`
    return [{ path, message: `begins with ${reserved}, as only Lifeline's own names do; ${other}` }]
  },
  { type: "string", maxLength: longestPrefix, pattern: prefixForm.source.replace("^", `^(?!${reserved})`) }
)

const accepted =
  `a text of letters, digits, "_" and "-", of at most ${longestPrefix} characters, in which ${placeholder} stands for the server's name, or "" for none`

export const prefixOf = (server: string, pattern: string = standardPrefix): string =>
  pattern.replace(placeholder, () => server)

/** FNV-1a (32 bits) of the UTF-16 code units. Never change it: hosts and users keep these names. */
export const hash = (text: string): string => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    value = Math.imul(value ^ (unit & 0xff), 0x01000193)
    if (unit > 0xff) value = Math.imul(value ^ (unit >>> 8), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(8, "0")
}

const shortened = (text: string): string => text.slice(0, longest - 9).replace(/[^A-Za-z0-9_-]/g, "_")

const hashed = (text: string): string => `${shortened(text)}_${hash(text)}`

export const fullName = (backend: string, name: string, prefix: string = prefixOf(backend)): string => {
  const plain = prefix + name
  return /^[A-Za-z0-9_-]{1,64}$/.test(plain) ? plain : hashed(plain)
}

/** Its full name is another backend's. */
export const otherName = (backend: string, name: string): string => hashed(`${backend}\n${name}`)

/** True for every name of the backend here. May be true for another's that ends as with a hash, or with an empty prefix. */
export const mayName = (backend: string, name: string, prefix: string = prefixOf(backend)): boolean => {
  if (name.length > longest) return false
  if (name.startsWith(prefix) && fullName(backend, name.slice(prefix.length), prefix) === name) return true
  if (!/_[0-9a-f]{8}$/.test(name)) return false
  const head = name.slice(0, -9)
  return head.startsWith(shortened(prefix)) || head.startsWith(shortened(`${backend}\n`))
}

/** Hosts know the address of a user interface only by its scheme. */
const scopeOf = (uri: string): string => uri.startsWith("ui://") ? "ui://lifeline/" : "lifeline://"

/** Only Lifeline itself offers it. The scheme counts in any case. (X4) */
export const isReserved = (kind: Kind, key: string): boolean =>
  kind === "tools" || kind === "prompts"
    ? key.startsWith(reserved)
    : /^(?:lifeline:|ui:\/\/lifeline\/)/i.test(key)

/** None for half a surrogate pair, which UTF-8 cannot say. */
export const scopedUri = (backend: string, uri: string): string | undefined =>
  unlessThrown(() => `${scopeOf(uri)}${encodeURIComponent(backend)}/${encodeURIComponent(uri)}`)

/** One character becomes up to nine. */
const longestScoped = 10 * longestUri

export const parseScopedUri = (uri: string): { readonly backend: string; readonly uri: string } | undefined => {
  if (uri.length > longestScoped) return undefined
  const match = /^(?:lifeline:\/\/|ui:\/\/lifeline\/)([^/]+)\/([^/]+)$/.exec(uri)
  if (match === null) return undefined
  return unlessThrown(() => ({ backend: decodeURIComponent(match[1]!), uri: decodeURIComponent(match[2]!) }))
}

/** Only a scoped URI says its backend. */
export const maySay = (kind: Routed, backend: string, name: string, prefix?: string): boolean =>
  kind === "resources" ? parseScopedUri(name)?.backend === backend : mayName(backend, name, prefix)

/** By standard prefixes; the backend may not exist. */
export const backendSaid = (kind: Routed, name: string): string | undefined => {
  if (kind === "resources") return parseScopedUri(name)?.backend
  const end = name.indexOf("__")
  return end > 0 && end + 2 < name.length ? name.slice(0, end) : undefined
}
