/**
 * The token that clients of the gateway must send: given, read from a file, or made where none is given and other machines are
 * let in.
 */
import * as Guard from "@mcp-lifeline/http-server/Guard"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { StartError } from "../Errors.js"

/** Where it may come from. */
export interface Options {
  readonly host: string
  readonly token: Redacted.Redacted | undefined
  /** Counts before `token`. */
  readonly tokenFile: string | undefined
}

/** The token, if there is to be one, and whether it was made here. */
export interface Token {
  readonly value: Redacted.Redacted | undefined
  readonly isNew: boolean
}

/** Reads a token from a file. */
export const read = (file: string): Effect.Effect<Redacted.Redacted, StartError> =>
  UserFile.text(file).pipe(
    Effect.mapError((cause) => {
      const message = `${file}: cannot read the token: ${cause.message}; name a readable file with --token-file`
      return new StartError({ message, cause })
    }),
    Effect.map((text) => text.trim()),
    Effect.filterOrFail(
      // A header could not hold anything else.
      (text) => /^[\x21-\x7E]+$/.test(text),
      () => new StartError({ message: `${file}: contains no token; write one into it, on one line and without spaces` })
    ),
    Effect.map(Redacted.make)
  )

/** A token that nobody else has. */
export const random = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** Finds the token. */
export const find = (
  { host, token, tokenFile }: Options
): Effect.Effect<Token, StartError> => {
  if (tokenFile !== undefined) return Effect.map(read(tokenFile), (value) => ({ value, isNew: false }))
  if (token !== undefined || Guard.isLoopback(host)) return Effect.succeed({ value: token, isNew: false })
  return Effect.sync(() => ({ value: random(), isNew: true }))
}
