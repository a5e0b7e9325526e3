/**
 * Which resources callers are offered, however their URIs are written: what one text names is hidden under all of them,
 * and `only` offers what is meant in each way in which a server could read it. (G19)
 */
import type { Catalog } from "@mcp-lifeline/core"
import { longestUri, Template, ToolPattern } from "@mcp-lifeline/core/internal"
import * as ListFilter from "./ListFilter.js"
import * as UriForms from "./uriForms.js"

interface Prepared {
  readonly pattern: string
  readonly plain: string
  readonly isTemplate: boolean
}

const prepared = (pattern: string): Prepared => ({
  pattern,
  plain: UriForms.plainPattern(pattern),
  isTemplate: Template.isTemplate(pattern)
})

/** A server has few templates; each of its URIs asks for them. */
const preparedTemplates = new Map<string, Prepared>()
const mostPrepared = 1000

const templateOf = (template: string): Prepared => {
  const known = preparedTemplates.get(template)
  if (known !== undefined) return known
  const made = prepared(template)
  if (preparedTemplates.size >= mostPrepared) preparedTemplates.clear()
  preparedTemplates.set(template, made)
  return made
}

/** Paths of files have no query: there a question mark stands for a character. */
const beforeQuery = (pattern: string): string => {
  if (pattern.startsWith("file:")) return pattern
  const at = pattern.replaceAll(/\{[^{}]*\}/g, (expression) => "_".repeat(expression.length)).indexOf("?")
  return at < 0 ? pattern : pattern.slice(0, at)
}

const star = (template: string): string => template.replaceAll(/\{[^{}]*\}/g, "*")

/** One with expressions matches what they can stand for, too. */
const hidingTexts = ({ isTemplate, pattern, plain }: Prepared): ReadonlyArray<string> => {
  const texts = [pattern, plain, UriForms.withoutSlash(plain)]
  return [...new Set(isTemplate ? [...texts, ...texts.map(star)] : texts)]
}

/** However the URI may be written or read. */
const standsFor = ({ pattern, plain }: Prepared, forms: UriForms.UriForms): boolean =>
  forms.written.every((form) => Template.matches(pattern, form, true))
  && forms.plain.every((form) => Template.matches(plain, form))
  && forms.paths.every((form) => Template.matches(plain, form) || Template.matches(beforeQuery(plain), form))

const means = (one: Prepared, uri: string, forms: UriForms.UriForms): boolean => {
  const { isTemplate, pattern, plain } = one
  const fits = (form: string): boolean => ToolPattern.matches(pattern, form) || ToolPattern.matches(plain, form)
  const path = beforeQuery(plain)
  return pattern === uri
    || (forms.written.every(fits) && forms.decoded.every(fits) && forms.plain.every(fits)
      && forms.paths.every((form) => fits(form) || ToolPattern.matches(path, form)))
    || (isTemplate && standsFor(one, forms))
}

export class FilteredUris {
  readonly #filter: ListFilter.ListFilter
  readonly #hide: ReadonlyArray<string>
  readonly #only: ReadonlyArray<ReadonlyArray<Prepared>>
  #listed: Catalog.Lists | undefined
  /** `hidden`: the plain forms of listed URIs that are not offered. */
  #known: { readonly uris: ReadonlyMap<string, boolean>; readonly hidden: ReadonlySet<string> } | undefined

  constructor(filter: ListFilter.ListFilter) {
    this.#filter = filter
    this.#hide = filter.hide.flatMap(({ pattern }) => hidingTexts(prepared(pattern)))
    this.#only = filter.only.map((list) => list.map(({ pattern }) => prepared(pattern)))
  }

  has(uri: string, listed: Catalog.Lists | undefined): boolean {
    if (uri.length > longestUri) return false
    const { hidden, uris } = this.#knownOf(listed)
    const isOffered = uris.get(uri)
    if (isOffered !== undefined) return isOffered
    const forms = UriForms.of(uri)
    if (this.#hides(forms, false) || forms.plain.some((form) => hidden.has(form))) return false // guard: each-spelling-is-hidden
    const all = [...forms.written, ...forms.decoded, ...forms.plain, ...forms.paths]
    const templates = listed?.resourceTemplates.map(({ uriTemplate }) => templateOf(uriTemplate)) ?? []
    const standing = templates.filter(({ pattern, plain }) =>
      all.some((form) => Template.matches(pattern, form) || Template.matches(plain, form))
    )
    // What only a hidden template stands for is hidden with it.
    if (standing.some((one) => ListFilter.passes(this.#filter, one.pattern) && standsFor(one, forms))) return true
    if (this.#only.length === 0) return standing.length === 0
    return this.#only.every((list) => list.some((one) => means(one, uri, forms)))
  }

  /** A server tells its listed URIs apart, so of those the query counts. */
  #hides(forms: UriForms.UriForms, isListed: boolean): boolean {
    const { decoded, farFetched, plain, written } = forms
    const all = [...written, ...decoded, ...plain, ...(isListed ? [] : forms.paths), ...farFetched]
    const texts = [...new Set([...all, ...all.map(UriForms.withoutSlash)])]
    return this.#hide.some((pattern) => texts.some((text) => ToolPattern.matches(pattern, text)))
  }

  #knownOf(listed: Catalog.Lists | undefined) {
    if (this.#known !== undefined && this.#listed === listed) return this.#known
    const uris = new Map<string, boolean>()
    const hidden = new Set<string>()
    for (const { uri } of listed?.resources ?? []) {
      if (uri.length > longestUri) continue
      const forms = UriForms.of(uri)
      const isMeant = (one: Prepared) =>
        ToolPattern.matches(one.pattern, uri) || (one.isTemplate && standsFor(one, forms))
      const isOffered = !this.#hides(forms, true) && this.#only.every((list) => list.some(isMeant))
      uris.set(uri, isOffered)
      if (!isOffered) { for (const form of forms.plain) hidden.add(form) }
    }
    this.#listed = listed
    return this.#known = { uris, hidden }
  }
}
