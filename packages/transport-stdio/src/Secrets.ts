/**
 * Keeps configured values out of what people read: the tail of stderr, messages, the target.
 */
import { Redacted } from "effect"

/** Shorter values are not looked for: their text would be found everywhere. */
const shortest = 8

const mark = "***"

/** Values to be masked, longest first. */
export type Secrets = ReadonlyArray<string>

/** The values of a configured environment that are long enough, each line of one that has several, and as in a URL. */
export const collect = (
  env: { readonly [name: string]: string | Redacted.Redacted<string> } | undefined
): Secrets => {
  const found = new Set<string>()
  for (const configured of Object.values(env ?? {})) {
    const value = Redacted.isRedacted(configured) ? Redacted.value(configured) : configured
    for (const line of value.split(/\r?\n/)) {
      const trimmed = line.trim()
      if (trimmed.length < shortest) continue
      found.add(trimmed)
      // JSON and URLs write some characters differently.
      found.add(JSON.stringify(trimmed).slice(1, -1))
      // Through a Buffer, because half a surrogate pair would make encodeURIComponent throw.
      found.add(encodeURIComponent(Buffer.from(trimmed).toString("utf8")))
    }
  }
  return [...found].toSorted((a, b) => b.length - a.length)
}

/** The text without the secrets. */
export const mask = (secrets: Secrets, text: string): string =>
  secrets.reduce((masked, secret) => masked.replaceAll(secret, mark), text)

/** The length from which the end of a text is looked at as the beginning of a secret. */
const leaking = 3

/** The same for a text that may end in the middle of a secret. */
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

const telling = /(key|token|secret|passw|auth|credential|bearer)/i

/** Arguments for people: secrets, values of options that sound like one, and credentials in URLs are masked. */
export const args = (secrets: Secrets, given: ReadonlyArray<string>): ReadonlyArray<string> =>
  given.map((arg, index) => {
    const previous = given[index - 1]
    if (
      !arg.startsWith("-") && previous?.startsWith("-") === true && !previous.includes("=") && telling.test(previous)
    ) {
      return mark
    }
    const option = /^(-[^=]*)=/.exec(arg)?.[1]
    if (option !== undefined && telling.test(option)) return `${option}=${mark}`
    return mask(secrets, arg)
      .replaceAll(/\/\/[^/@\s]+@/g, `//${mark}@`)
      .replaceAll(/([?&][^=&\s]+=)[^&\s]+/g, `$1${mark}`)
  })

/** A command line for people. */
export const commandLine = (secrets: Secrets, command: string, given: ReadonlyArray<string>): string =>
  [mask(secrets, command), ...args(secrets, given)].join(" ")
