/**
 * The texts that name the same resource as a URI: servers compare URIs as they come, or after `new URL`, or decode them.
 */

/** The forms of a URI. */
export interface UriForms {
  /** As it came, and as `URL` writes it: with its `.` and `..` resolved, and scheme and host in lower case. */
  readonly written: ReadonlyArray<string>
  /** The same with each escape decoded, and without a fragment. */
  readonly decoded: ReadonlyArray<string>
}

/** The standard's class, which each platform has, and which belongs to no types that this package needs. */
const { URL } = globalThis as unknown as {
  readonly URL: { new(text: string): { readonly href: string }; readonly canParse: (text: string) => boolean }
}

const written = (uri: string): string | undefined => URL.canParse(uri) ? new URL(uri).href : undefined

const decoded = (uri: string): string | undefined => {
  try {
    return decodeURIComponent(uri)
  } catch {
    return undefined
  }
}

const withoutFragment = (uri: string): string | undefined => {
  const hash = uri.indexOf("#")
  return hash < 0 ? undefined : uri.slice(0, hash)
}

const defined = (forms: ReadonlyArray<string | undefined>): ReadonlyArray<string> => [
  ...new Set(forms.filter((form) => form !== undefined))
]

/** The forms of a URI. Takes time in proportion to its length. */
export const of = (uri: string): UriForms => {
  const first = defined([uri, written(uri)])
  const plain = first.map((form) => decoded(form))
  const all = [...plain, ...plain.map((form) => form === undefined ? undefined : written(form))]
  return {
    written: first,
    decoded: defined([...all, ...[...first, ...all].map((form) => form && withoutFragment(form))])
  }
}
