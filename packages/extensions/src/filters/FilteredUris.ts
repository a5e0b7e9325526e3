/**
 * Which resources callers are offered. A URI that the server does not list is offered only in its plain spelling: what it names is compared then, however a
 * server reads it. (G19)
 */
import type { Catalog } from "@mcp-lifeline/core"
import { Kind, Template } from "@mcp-lifeline/core/internal"
import { Tools } from "@mcp-lifeline/core/options"
import * as ListFilter from "./ListFilter.js"

/** Each platform has it, but no types that this package needs do. */
const { URL } = globalThis as unknown as { readonly URL: new(text: string) => { readonly href: string } }

/** As `URL` writes it; `undefined` if it is no URL. */
const hrefOf = (uri: string): string | undefined => {
  try {
    return new URL(uri).href
  } catch {
    return undefined
  }
}

/** Escapes that are no text stay. */
const decoded = (uri: string): string => {
  try {
    return decodeURIComponent(uri)
  } catch {
    return uri
  }
}

/** Some servers do not look at a query. Of a pattern, its first question mark counts as one. */
const beforeQuery = (text: string): string => text.replace(/\{?\?.*/s, "")

/** Whether a URI is as `URL` writes it, and has nothing that a server may resolve, cut off, leave out, or decode twice. */
const isPlain = (uri: string): boolean => {
  if (hrefOf(uri) !== uri || uri.includes("#")) return false
  const rest = decoded(beforeQuery(uri).replace(/^[^:]*:(?:\/\/)?/, ""))
  if (/[%\\?#\p{Cc}]|\/\/|(?:^|\/)\.\.?(?:\/|$)/u.test(rest)) return false
  if (uri.startsWith("file:")) return rest.startsWith("/")
  const [authority = ""] = uri.includes("://") ? rest.split("/", 1) : []
  return !/@|\.(?:$|:)|:(?:$|0)/.test(authority)
}

/** What tells unlisted resources apart: some servers look at neither case, slashes nor a slash at the end. */
const keyOf = (uri: string): string => decoded(uri).toLowerCase().replaceAll(/\/+/g, "/").replace(/\/$/, "")

/** In its plain spelling, too; an expression of a template in it stands for anything. */
const hiding = (pattern: string): ReadonlyArray<string> => [
  ...new Set([pattern, decoded(pattern), hrefOf(pattern) ?? pattern, pattern.replaceAll(/\{[^{}]*\}/g, "*")])
]

const standsFor = (pattern: string, uri: string): boolean => {
  const path = beforeQuery(uri)
  return Template.matches(pattern, uri, true)
    && (Template.matches(pattern, path) || Template.matches(beforeQuery(pattern), path))
}

const means = (pattern: string, uri: string): boolean => {
  const fits = (text: string, of = pattern): boolean => Tools.matches(of, text)
  const path = beforeQuery(uri)
  return pattern === uri || (fits(uri) && (fits(path) || fits(path, beforeQuery(pattern))))
    || (Template.isTemplate(pattern) && standsFor(pattern, uri))
}

export class FilteredUris {
  readonly #filter: ListFilter.ListFilter
  readonly #hide: ReadonlyArray<string>
  readonly #only: ReadonlyArray<ReadonlyArray<string>>
  #listed: Catalog.Lists | undefined
  /** `hidden`: the keys of listed URIs that are not offered. */
  #known: { readonly uris: ReadonlyMap<string, boolean>; readonly hidden: ReadonlySet<string> } | undefined

  constructor(filter: ListFilter.ListFilter) {
    this.#filter = filter
    this.#hide = filter.hide.flatMap(({ pattern }) => hiding(pattern))
    this.#only = filter.only.map((list) => list.map(({ pattern }) => pattern))
  }

  has(uri: string, listed: Catalog.Lists | undefined): boolean {
    if (uri.length > Kind.longestUri) return false
    const { hidden, uris } = this.#knownOf(listed)
    const isOffered = uris.get(uri)
    if (isOffered !== undefined) return isOffered
    const path = beforeQuery(uri)
    const texts = [uri, decoded(uri), path, decoded(path)]
    if (!isPlain(uri) || this.#hidesUnlisted(texts) || hidden.has(keyOf(uri))) return false // guard: each-spelling-is-hidden
    const standing = (listed?.resourceTemplates ?? []).map(({ uriTemplate }) => uriTemplate)
      .filter((template) => texts.some((text) => Template.matches(template, text)))
    // What only a hidden template stands for is hidden with it.
    if (standing.some((one) => ListFilter.passes(this.#filter, one) && standsFor(one, uri))) return true
    if (this.#only.length === 0) return standing.length === 0
    return this.#only.every((list) => list.some((one) => means(one, uri)))
  }

  /** In any case, and with or without a slash at the end. */
  #hidesUnlisted(texts: ReadonlyArray<string>): boolean {
    const all = [...texts, ...texts.map((text) => text.replace(/\/$/, ""))].map((text) => text.toLowerCase())
    return this.#hide.some((pattern) => all.some((text) => Tools.matches(pattern.toLowerCase(), text)))
  }

  /** A server tells its listed URIs apart, by their case and query, too. */
  #hidesListed(uri: string): boolean {
    return this.#hide.some((pattern) => [uri, decoded(uri)].some((text) => Tools.matches(pattern, text)))
  }

  #knownOf(listed: Catalog.Lists | undefined) {
    if (this.#known !== undefined && this.#listed === listed) return this.#known
    const all = (listed?.resources ?? []).flatMap(({ uri }) => uri.length > Kind.longestUri ? [] : [uri])
    const isMeant = (uri: string) => (pattern: string): boolean =>
      Tools.matches(pattern, uri) || (Template.isTemplate(pattern) && standsFor(pattern, uri))
    const isOffered = (uri: string): boolean =>
      !this.#hidesListed(uri) && this.#only.every((list) => list.some(isMeant(uri)))
    const uris = new Map(all.map((uri) => [uri, isOffered(uri)]))
    this.#listed = listed
    return this.#known = { uris, hidden: new Set(all.filter((uri) => uris.get(uri) === false).map(keyOf)) }
  }
}
