/**
 * The cookies of one connection, by which a balancer finds the replica with its session. They stay in memory, and go only to the origin that
 * set them.
 */
import type { Answer } from "./Answer.js"

/** Cookies of a connection, and characters of one. */
const limits = { count: 32, length: 4096 }

const pair =
  /^([!#$%&'*+\-.^`|~\w]+)=([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*|"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")$/

interface Cookie {
  readonly name: string
  readonly value: string
  readonly path: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** The default path. */
const folderOf = ({ pathname }: URL): string => pathname.slice(0, pathname.lastIndexOf("/")) || "/"

const isWithin = (pathname: string, path: string): boolean =>
  pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`)

const untilOf = (attributes: ReadonlyMap<string, string>, now: number): number => {
  const seconds = Number(attributes.get("max-age") ?? Number.NaN)
  if (!Number.isNaN(seconds)) return now + seconds * 1000
  const expires = Date.parse(attributes.get("expires") ?? "")
  return Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires
}

const read = (text: string, url: URL, now: number): Cookie | undefined => {
  if (text.length > limits.length) return undefined
  const [first = "", ...others] = text.split(";").map((part) => part.trim())
  const [, name, value] = pair.exec(first) ?? []
  if (name === undefined || value === undefined) return undefined
  const attributes = new Map(others.map((other) => {
    const [key = "", ...rest] = other.split("=")
    return [key.trim().toLowerCase(), rest.join("=").trim()] as const
  }))
  const domain = attributes.get("domain")?.replace(/^\./, "").toLowerCase() ?? ""
  const isOurs = domain === "" || url.hostname === domain || url.hostname.endsWith(`.${domain}`)
  if (!isOurs) return undefined
  const path = attributes.get("path")
  return { name, value, path: path?.startsWith("/") === true ? path : folderOf(url), until: untilOf(attributes, now) }
}

export class Cookies {
  readonly #origin: string
  readonly #kept = new Map<string, Cookie>()

  constructor(origin: string) {
    this.#origin = origin
  }

  /** For a session that goes on. */
  goOnWith(before: Cookies | undefined): void {
    for (const [key, cookie] of before === undefined ? [] : before.#kept) this.#kept.set(key, cookie)
  }

  take({ headers }: Pick<Answer, "headers">, url: URL, now: number): void {
    const given = headers["set-cookie"]
    if (given === undefined || url.origin !== this.#origin) return
    for (const text of typeof given === "string" ? [given] : given) {
      const cookie = read(text, url, now)
      if (cookie === undefined) continue
      const key = `${cookie.name};${cookie.path}`
      this.#kept.delete(key)
      if (cookie.until > now) this.#kept.set(key, cookie)
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= limits.count) break
        this.#kept.delete(oldest)
      }
    }
  }

  /** The user's cookies come before ours of the same name. */
  header(url: URL, users: string | undefined, now: number): string | undefined {
    if (this.#kept.size === 0 || url.origin !== this.#origin) return users
    const names = new Set((users ?? "").split(";").map((one) => one.split("=")[0]?.trim()))
    const ours = [...this.#kept.values()]
      .filter(({ name, path, until }) => until > now && isWithin(url.pathname, path) && !names.has(name))
      .toSorted((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => `${name}=${value}`)
    return [...users === undefined ? [] : [users], ...ours].join("; ") || undefined
  }

  /** Hides their values in a text. A short one may be any word. */
  mask(text: string): string {
    let masked = text
    for (const { value } of this.#kept.values()) if (value.length >= 8) masked = masked.replaceAll(value, "***")
    return masked
  }
}
