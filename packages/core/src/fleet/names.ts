/**
 * The names of a fleet's catalogue: full names of tools and prompts, and URIs of resources. Every function takes time in proportion to the
 * length of the texts, which servers and clients choose.
 */
import { longestUri } from "../catalog/Bounds.js"
import type { Kind } from "../catalog/Kind.js"
import * as Prefix from "./Prefix.js"

/** Longest name that hosts accept. */
export const longest = 64

/**
 * FNV-1a (32 bits) of the text's UTF-16 code units, low byte first and without a high byte of 0, as eight hexadecimal digits.
 * Hosts and users keep the names that are made with it, so it belongs to this library and never changes.
 */
export const hash = (text: string): string => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    value = Math.imul(value ^ (unit & 0xff), 0x01000193)
    if (unit > 0xff) value = Math.imul(value ^ (unit >>> 8), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(8, "0")
}

/** As much of a text as fits before a hash, in characters that hosts accept. */
const shortened = (text: string): string => text.slice(0, longest - 9).replace(/[^A-Za-z0-9_-]/g, "_")

/** A name that hosts accept, ending in a hash of what it stands for, so that it is stable and does not clash. */
const hashed = (text: string): string => `${shortened(text)}_${hash(text)}`

/** Prefix and name where that is acceptable (letters, digits, `_`, `-`, at most 64), else shortened with a hash. */
export const fullName = (backend: string, name: string, prefix: string = Prefix.of(backend)): string => {
  const plain = prefix + name
  return /^[A-Za-z0-9_-]{1,64}$/.test(plain) ? plain : hashed(plain)
}

/** The name of an entry whose full name another backend has. */
export const otherName = (backend: string, name: string): string => hashed(`${backend}\n${name}`)

/**
 * Whether a name can be one that a backend's tool or prompt has here. It is for all names that are made here; a name that ends as with a
 * hash may belong to another, too, and without a prefix each name may be anybody's.
 */
export const mayName = (backend: string, name: string, prefix: string = Prefix.of(backend)): boolean => {
  if (name.length > longest) return false
  if (name.startsWith(prefix) && fullName(backend, name.slice(prefix.length), prefix) === name) return true
  if (!/_[0-9a-f]{8}$/.test(name)) return false
  const head = name.slice(0, -9)
  return head.startsWith(shortened(prefix)) || head.startsWith(shortened(`${backend}\n`))
}

const scheme = "lifeline://"

/** Whether a name or URI is one that only Lifeline itself offers: names from `lifeline__`, and the scheme of scoped URIs, in any case. (X4) */
export const isReserved = (kind: Kind, key: string): boolean =>
  kind === "tools" || kind === "prompts"
    ? key.startsWith(Prefix.reserved)
    : key.slice(0, "lifeline:".length).toLowerCase() === "lifeline:"

/**
 * The URI that reaches a resource of one backend whatever others offer. There is none for text that UTF-8 cannot say: half
 * a surrogate pair, which a server can send.
 */
export const scopedUri = (backend: string, uri: string): string | undefined => {
  try {
    return `${scheme}${encodeURIComponent(backend)}/${encodeURIComponent(uri)}`
  } catch {
    return undefined
  }
}

/** The longest scoped URI: one character becomes up to nine. */
const longestScoped = 10 * longestUri

/** What a scoped URI stands for. */
export const parseScopedUri = (uri: string): { readonly backend: string; readonly uri: string } | undefined => {
  if (uri.length > longestScoped) return undefined
  const match = uri.startsWith(scheme) ? /^([^/]+)\/([^/]+)$/.exec(uri.slice(scheme.length)) : null
  try {
    return match === null ? undefined : { backend: decodeURIComponent(match[1]!), uri: decodeURIComponent(match[2]!) }
  } catch {
    return undefined
  }
}

/** Whether a name or URI can be one that a backend has here. A URI says its backend only where it is a scoped one. */
export const maySay = (
  kind: "tools" | "prompts" | "resources",
  backend: string,
  name: string,
  prefix?: string
): boolean => kind === "resources" ? parseScopedUri(name)?.backend === backend : mayName(backend, name, prefix)

/** The backend that a name or URI says where prefixes are the standard ones, whether there is one of that id or not. */
export const backendSaid = (kind: "tools" | "prompts" | "resources", name: string): string | undefined => {
  if (kind === "resources") return parseScopedUri(name)?.backend
  const end = name.indexOf("__")
  return end > 0 && end + 2 < name.length ? name.slice(0, end) : undefined
}
