/** Masks configured values in what people read: stderr, messages, the target. */
import { Redacted } from "effect"

/** Shorter values are not masked, because their text would occur everywhere. */
const shortest = 8

const mark = "***"

/** Longest first. */
export type Secrets = ReadonlyArray<string>

/** Of a configured environment, arguments that look like secrets, and URLs in the inherited environment, if long enough. */
export const collect = (
  env: { readonly [name: string]: string | Redacted.Redacted<string> | null } | undefined,
  given: ReadonlyArray<string> = [],
  inherited: NodeJS.ProcessEnv = {}
): Secrets => {
  const configured = Object.values(env ?? {}).flatMap((value) => {
    const text = Redacted.isRedacted(value) ? Redacted.value(value) : value ?? ""
    // A server may write the token alone.
    return [text, text.replace(scheme, "")]
  })
  const found = new Set(
    [...configured, ...given.flatMap((_, index) => hiddenAt(given, index)), ...credentials(inherited)].flatMap(forms)
  )
  return [...found].toSorted((a, b) => b.length - a.length)
}

const longestValue = 32_768

/** A proxy may be written without a scheme. */
const isProxy = (name: string): boolean => /(^|_)proxy$/i.test(name) && !/^no_/i.test(name)

/** What stands before the host, whole and in parts, as written and decoded. */
const credentials = (env: NodeJS.ProcessEnv): ReadonlyArray<string> =>
  Object.entries(env).flatMap(([name, value = ""]) =>
    !value.includes("@") || value.length > longestValue ? [] : value.split(/\s+/).flatMap((url) => {
      const scheme = url.indexOf("//")
      if (scheme < 0 && !isProxy(name)) return []
      const [authority = ""] = url.slice(scheme < 0 ? 0 : scheme + 2).split(/[/?#]/, 1)
      const end = authority.lastIndexOf("@")
      const user = authority.slice(0, Math.max(0, end))
      const password = user.includes(":") ? user.slice(user.indexOf(":") + 1) : ""
      // A user's name is no secret, and part of many paths.
      const isOpen = user === "" || (password === "" && url.startsWith("ssh:"))
      // If it is too short, it is masked only where its host follows.
      const whole = user.length < shortest ? `//${authority}` : user
      return isOpen ? [] : [whole, password].flatMap((part) => [part, decoded(part)])
    })
  )

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Each line, as it is, and encoded as in JSON or a URL. */
const forms = (value: string): ReadonlyArray<string> =>
  value.split(/\r?\n/).map((line) => line.trim()).filter((line) => line.length >= shortest).flatMap((line) => [
    line,
    JSON.stringify(line).slice(1, -1),
    // Through a Buffer, because half a surrogate pair would make encodeURIComponent throw.
    encodeURIComponent(Buffer.from(line).toString("utf8"))
  ])

export const mask = (secrets: Secrets, text: string): string =>
  secrets.reduce((masked, secret) => masked.replaceAll(secret, mark), text)

/** From this length on, an end may be the beginning of a secret. */
const leaking = 3

/** For a text that may end in the middle of a secret. */
export const maskCut = (secrets: Secrets, text: string): string => {
  const masked = mask(secrets, text)
  const begun = Math.max(
    0,
    ...secrets.map((secret) => {
      for (let length = Math.min(secret.length - 1, masked.length); length >= leaking; length--) {
        if (masked.endsWith(secret.slice(0, length))) return length
      }
      return 0
    })
  )
  return begun === 0 ? masked : `${masked.slice(0, -begun)}${mark}`
}

const telling = /(key|token|secret|passw|pwd|auth|credential|bearer|cookie|[_-]pat$)/i

/** Before the value in `--option=value`, `VARIABLE=value`, `Header: value`. */
const assigned = /([\w.-]+)\s*[=:]\s*/y

const scheme = /^(bearer|basic)\s+/i

const hiddenIn = (given: string): ReadonlyArray<string> => {
  let from = 0
  for (;;) {
    assigned.lastIndex = from
    const name = assigned.exec(given)?.[1]
    if (name === undefined || assigned.lastIndex === given.length) break
    from = assigned.lastIndex
    if (telling.test(name)) return [given.slice(from).replace(scheme, "")]
  }
  const arg = given.slice(from)
  if (scheme.test(arg)) return [arg.replace(scheme, "")]
  const users = Array.from(arg.matchAll(/\/\/([^/@\s]+)@/g), ([, user = ""]) => user)
  const parameters = Array.from(
    arg.matchAll(/[?&]([^?=&\s]+)=([^&\s]+)/g),
    ([, key = "", parameter = ""]) => telling.test(key) ? [parameter] : []
  )
  const passwords = users.map((user) => user.replace(/^[^:]*:/, "")).filter((password) => password !== "")
  return [...users, ...passwords, ...parameters.flat()]
}

const hiddenAt = (given: ReadonlyArray<string>, index: number): ReadonlyArray<string> => {
  const [previous, arg = ""] = [given[index - 1], given[index]]
  const isValue = !arg.startsWith("-") && previous?.startsWith("-") === true && !previous.includes("=")
  return isValue && telling.test(previous) ? [arg] : hiddenIn(arg)
}

/** For people: masks also what looks like a secret, and URLs' credentials and parameters. */
export const args = (secrets: Secrets, given: ReadonlyArray<string>): ReadonlyArray<string> =>
  given.map((arg, index) => {
    const own = hiddenAt(given, index).reduce(
      (shown, part) => shown.endsWith(part) ? `${shown.slice(0, shown.length - part.length)}${mark}` : shown,
      arg
    )
    return mask(secrets, own)
      .replaceAll(/\/\/[^/@\s]+@/g, `//${mark}@`)
      .replaceAll(/([?&][^?=&\s]+=)[^&\s]+/g, `$1${mark}`)
  })

export const commandLine = (secrets: Secrets, command: string, given: ReadonlyArray<string>): string =>
  [mask(secrets, command), ...args(secrets, given)].join(" ")
