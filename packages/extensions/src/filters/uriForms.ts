/** The texts that name the same resource: servers compare URIs as they come, after `new URL`, decoded, or by a path within. */

export interface UriForms {
  /** As it came, and as `URL` writes it. */
  readonly written: ReadonlyArray<string>
  /** With escapes decoded, once and twice, and without a fragment. */
  readonly decoded: ReadonlyArray<string>
  /** See `plainPattern`. */
  readonly plain: ReadonlyArray<string>
  /** Some servers do not look at the query. */
  readonly paths: ReadonlyArray<string>
  /** The host as the first folder of the path: far-fetched, but leads to a file. */
  readonly farFetched: ReadonlyArray<string>
}

/** Each platform has it, but no types that this package needs do. */
const { URL } = globalThis as unknown as {
  readonly URL: new(text: string) => { readonly href: string }
}

const written = (uri: string): string | undefined => {
  try {
    return new URL(uri).href
  } catch {
    return undefined
  }
}

/** One escape that is none must not save the others. */
const decodedRun = (run: string): string => {
  try {
    return decodeURIComponent(run)
  } catch {
    return run.replaceAll(/%[0-7][\da-f]/gi, (escape) => decodeURIComponent(escape))
  }
}

const decoded = (uri: string): string => uri.includes("%") ? uri.replaceAll(/(?:%[\da-f]{2})+/gi, decodedRun) : uri

const until = (text: string, mark: string): string => {
  const at = text.indexOf(mark)
  return at < 0 ? text : text.slice(0, at)
}

const defined = (forms: ReadonlyArray<string | undefined>): ReadonlyArray<string> => [
  ...new Set(forms.filter((form) => form !== undefined))
]

const defaultPorts: Readonly<Record<string, string>> = { http: "80", ws: "80", https: "443", wss: "443", ftp: "21" }

const schemeOf = (text: string): string | undefined => /^[a-z*?][a-z\d+.*?-]{0,99}(?=:)/i.exec(text)?.[0]

const isOpen = (authority: string): boolean => /[*?{}]/.test(authority)

const withoutPort = (scheme: string, host: string): string => {
  const colon = host.lastIndexOf(":")
  const digits = host.slice(colon + 1)
  if (colon < 0 || !/^\d*$/.test(digits)) return host
  const port = digits.replace(/^0+(?=\d)/, "")
  return port === "" || port === defaultPorts[scheme] ? host.slice(0, colon) : `${host.slice(0, colon)}:${port}`
}

/** A path of a file is one of this machine, whatever its host: many servers look at the path alone. */
const hostOf = (scheme: string, authority: string): string => {
  if (scheme === "file") return ""
  const host = withoutPort(scheme, authority.slice(authority.lastIndexOf("@") + 1))
  return host.endsWith(".") ? host.slice(0, -1) : host
}

const resolved = (path: string): string => {
  const segments: Array<string> = []
  const parts = path.split("/")
  for (const [index, part] of parts.entries()) {
    if (part === "..") {
      if (segments.length > 1 || (segments.length === 1 && segments[0] !== "")) segments.pop()
    } else if (part !== ".") segments.push(part)
    // Such a path is a folder.
    if (index === parts.length - 1 && (part === "." || part === "..")) segments.push("")
  }
  return segments.join("/")
}

const collapsed = (path: string): string => path.replaceAll(/\/{2,}/g, "/")

/** File systems collapse slashes, then resolve; `URL` counts an empty segment. */
const pathForms = (path: string): ReadonlyArray<string> => [resolved(collapsed(path)), collapsed(resolved(path))]

const endOfPath = (text: string, from: number): number => {
  for (let at = from; at < text.length; at++) if (text[at] === "?" || text[at] === "#") return at
  return text.length
}

/** `isPattern`: a question mark stands for a character, and ends no path. */
const plainForms = (text: string, isPattern: boolean): ReadonlyArray<string> => {
  const slashed = text.replaceAll("\\", "/")
  // Only Windows and `URL` take backslashes for slashes.
  const texts = isPattern || slashed === text ? [slashed] : [slashed, text]
  return texts.flatMap((text) => plainFormsOf(text, isPattern))
}

const plainFormsOf = (slashed: string, isPattern: boolean): ReadonlyArray<string> => {
  const given = schemeOf(slashed)
  if (given === undefined) return [collapsed(slashed)]
  const scheme = given.toLowerCase()
  const rest = given.length + 1
  const ends = new Set([slashed.length, isPattern ? slashed.length : endOfPath(slashed, rest)])
  const hasAuthority = slashed.startsWith("//", rest)
  // `?` or `#` may also be one of the path, for who looks for neither, or decodes too early.
  return Array.from(ends).flatMap((end) => {
    const slash = hasAuthority ? slashed.indexOf("/", rest + 2) : rest
    const start = slash < 0 || slash > end ? end : slash
    const authority = hasAuthority ? slashed.slice(rest + 2, start).toLowerCase() : ""
    const host = isPattern && isOpen(authority) ? authority : hostOf(scheme, authority)
    const before = hasAuthority || (scheme === "file" && slashed[rest] === "/") ? `${scheme}://${host}` : `${scheme}:`
    const [path, tail] = [slashed.slice(start, end), slashed.slice(end)]
    // A star may stand for slashes, so nobody knows what goes with a `..` after it.
    const paths = isPattern && isOpen(path) ? [collapsed(path)] : pathForms(path)
    return paths.map((path) => `${before}${path}${tail}`)
  })
}

/** Scheme and host in lower case; no user, default port, host of a file, `.` or `..`; single slashes, no backslashes. */
export const plainPattern = (pattern: string): string => plainForms(decoded(pattern), true)[0] ?? pattern

/** Paths do not need slashes at the end. */
export const withoutSlash = (form: string): string => /[^/]\/$/.test(form) ? form.slice(0, -1) : form

/** Most URIs: nothing in them can be written in another way. */
const plainUri =
  /^(?:file:\/\/|(?!file:)[a-z][a-z\d+.-]{0,99}:\/\/[a-z][a-z\d-]{0,99}(?:\.[a-z][a-z\d-]{0,99})*)(?:\/[\w~-][\w.~-]*)+$/

const allDecoded = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const once = texts.map(decoded)
  return defined([...once, ...once.map(written), ...once.map(decoded)])
}

const allPlain = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  defined(texts.flatMap((text) => plainForms(text, false)))

const hostAsFolder = (text: string): string | undefined => {
  const slashed = text.replaceAll("\\", "/")
  return /^file:\/\/[^/]/i.test(slashed) ? `file:///${slashed.slice("file://".length)}` : undefined
}

/** Few servers look at it. One with escapes could not be told from the path once it is decoded. */
const withoutHost = (uri: string): string | undefined => {
  const [before] = /^file:(?:\/\/|\\\\)[^/\\]*%[^/\\]*/i.exec(uri) ?? []
  return before === undefined ? undefined : `file://${uri.slice(before.length)}`
}

export const of = (uri: string): UriForms => {
  if (plainUri.test(uri)) return { written: [uri], decoded: [uri], plain: [uri], paths: [uri], farFetched: [] }
  const first = defined([uri, written(uri)])
  const given = defined([...first, withoutHost(uri)])
  const all = allDecoded(given)
  const forms = defined([...all, ...[...given, ...all].map((form) => until(form, "#"))])
  const texts = [...given, ...forms]
  const plain = allPlain(texts)
  return {
    written: first,
    decoded: forms,
    plain,
    // Nobody needs them of what a server lists, which may be thousands.
    get paths() {
      // Whoever takes it apart before decoding it finds another path than who decodes first.
      const cut = given.map((form) => until(until(form, "#"), "?"))
      return defined([...allPlain([...cut, ...allDecoded(cut)]), ...plain.map((form) => until(form, "?"))])
    },
    farFetched: allPlain(defined(texts.map(hostAsFolder)))
  }
}
