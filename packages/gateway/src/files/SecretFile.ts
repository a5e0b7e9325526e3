/**
 * One secret on each line, the newest first. Those after it are still accepted.
 */
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Array, Effect, Redacted, type Scope } from "effect"
import { StartError } from "../text/Errors.js"
import * as SavedFile from "./savedFile.js"

export type Secrets = Array.NonEmptyReadonlyArray<Redacted.Redacted>

export interface SecretsInUse {
  readonly current: () => Secrets
  /** Reads them again after each change, until the scope closes. `changed` takes a line. What cannot be used changes nothing, and is logged. */
  readonly follow: (changed: (line: string) => Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}

/** One may be replaced again before everybody has the last. */
const maxSecrets = 5

/** In characters. A shorter key could be guessed. */
const minKey = 32

export const keyRules = {
  remedy: "make one with: openssl rand -base64 32",
  check: (text: string) => text.length < minKey ? `has less than ${minKey} characters` : undefined
}

/** `check` returns what is wrong with a secret, as a clause. */
export const parse = (
  text: string,
  place: string,
  { check, remedy, what }: {
    readonly what: string
    readonly remedy: string
    readonly check: (secret: string) => string | undefined
  }
): Effect.Effect<Secrets, StartError> => {
  const lines = text.split("\n").flatMap((line, index) => {
    const secret = line.trim()
    return secret === "" ? [] : [{ secret, number: index + 1 }]
  })
  const refuse = (why: string) => new StartError({ message: `${place}: ${why}; ${remedy}` })
  if (lines.length > maxSecrets) return refuse(`contains more than ${maxSecrets} lines, and each is a ${what}`)
  for (const { number, secret } of lines) {
    const problem = check(secret)
    if (problem !== undefined) return refuse(lines.length === 1 ? problem : `line ${number} ${problem}`)
  }
  const secrets = lines.map(({ secret }) => Redacted.make(secret))
  return Array.isNonEmptyReadonlyArray(secrets) ? Effect.succeed(secrets) : refuse(`contains no ${what}`)
}

export const fixed = (secrets: Secrets): SecretsInUse => ({ current: () => secrets, follow: () => Effect.void })

/** `what`: for the log. */
export const make = (
  file: string,
  what: string,
  read: (text: Effect.Effect<string, UserFile.ReadError>) => Effect.Effect<Secrets, StartError>
): Effect.Effect<SecretsInUse, StartError> =>
  Effect.gen(function*() {
    const before = yield* SavedFile.fingerprint(file, undefined)
    const load = read(UserFile.text(file))
    let current = yield* load
    return {
      current: () => current,
      follow: (changed) =>
        SavedFile.follow(file, before, {
          changed: Effect.gen(function*() {
            current = yield* load
            const words = current.length === 1 ? what : what.replace(/ of |$/, (after) => `s${after}`)
            yield* changed(`${file}: read again: ${current.length} ${words}`)
          }).pipe(Effect.catchAll(({ message }) => Effect.logWarning(`${message}. Each ${what} stays as it was`))),
          gone: Effect.logWarning(`${file} is gone. Each ${what} stays as it was, and the file is read when it is back`)
        }).pipe(Effect.interruptible, Effect.forkScoped, Effect.asVoid)
    }
  })

export const keys = (option: string, file: string, what: string): Effect.Effect<SecretsInUse, StartError> => {
  const place = `${option} ${file}`
  return make(file, what, (text) =>
    text.pipe(
      Effect.mapError((cause) => new StartError({ message: `${place} cannot be read: ${cause.message}`, cause })),
      Effect.flatMap((text) => parse(text, place, { ...keyRules, what }))
    ))
}
