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

const telling = /(key|token|secret|passw|auth|credential|bearer)/i

/** A command line for people: secrets, values of options that sound like one, and credentials in URLs are masked. */
export const commandLine = (secrets: Secrets, command: string, args: ReadonlyArray<string>): string => {
  const shown = args.map((arg, index) => {
    const previous = args[index - 1]
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
  return [mask(secrets, command), ...shown].join(" ")
}
