/**
 * The token that clients of the gateway must send: given, read from a file, or generated if none is given and the gateway listens on other
 * addresses than loopback.
 */
import * as Guard from "@mcp-lifeline/http-server/Guard"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { StartError } from "../Errors.js"

/** Where the token comes from. */
export interface Options {
  readonly host: string
  readonly token: Redacted.Redacted | undefined
  /** The path of a file with the token. Overrides `token`. */
  readonly tokenFile: string | undefined
}

/** The token; `undefined` if none is needed. `isNew`: it was generated. */
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
      // Other characters are not valid in a header.
      (text) => /^[\x21-\x7E]+$/.test(text),
      () => new StartError({ message: `${file}: contains no token; write one into it, on one line and without spaces` })
    ),
    Effect.map(Redacted.make)
  )

/** Generates a token. */
export const random = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** Reads or generates the token. */
export const find = (
  { host, token, tokenFile }: Options
): Effect.Effect<Token, StartError> => {
  if (tokenFile !== undefined) return Effect.map(read(tokenFile), (value) => ({ value, isNew: false }))
  if (token !== undefined || Guard.isLoopback(host)) return Effect.succeed({ value: token, isNew: false })
  return Effect.sync(() => ({ value: random(), isNew: true }))
}
