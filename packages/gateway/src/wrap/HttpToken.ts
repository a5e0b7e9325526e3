/**
 * The token that each request to `wrap --http` needs. Without one from the user, it is made once and kept in the state folder, so that it stays
 * valid in the configuration of a host.
 */
import { attempt, hasCode, readPrivate, replace } from "@mcp-lifeline/state/privateFiles"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { join } from "node:path"
import type { StartError } from "../Errors.js"
import * as SecretFile from "../http/SecretFile.js"
import * as Token from "../http/Token.js"
import type { Http } from "./Arguments.js"

/** The environment variable for the token. */
const variable = "MCP_LIFELINE_TOKEN"

/** The tokens that are accepted, if requests need one, and where a person finds them. */
export interface HttpToken {
  readonly value: SecretFile.SecretsInUse | undefined
  /** Ends a sentence. Undefined if only this process knows the token. */
  readonly place: string | undefined
}

/** Reads the variable, and removes it from the environment, which the server inherits. */
const fromEnvironment = (env: NodeJS.ProcessEnv): Redacted.Redacted | undefined => {
  const { [variable]: text } = env
  delete env[variable]
  return text === undefined || text === "" ? undefined : Redacted.make(text)
}

/** The token in the state folder. The first process makes it. */
const stored: Effect.Effect<HttpToken, never, StateFolder> = Effect.gen(function*() {
  const { lock, privateFolder } = yield* StateFolder
  const file = join(yield* privateFolder("wrap"), "token")
  yield* lock("wrap-token")
  const text = yield* attempt(() => readPrivate(file)).pipe(
    Effect.catchIf(({ cause }) => hasCode(cause, "ENOENT"), () => Effect.succeed(""))
  )
  const value = text.trim() === "" ? Token.random() : Redacted.make(text.trim())
  if (text.trim() === "") yield* attempt(() => replace(file, `${Redacted.value(value)}\n`))
  return { value: SecretFile.fixed([value]), place: file }
}).pipe(
  Effect.scoped,
  Effect.catchTag(
    "FileFailure",
    () => Effect.sync(() => ({ value: SecretFile.fixed([Token.random()]), place: undefined }))
  )
)

/** Finds the token: in the file, in the environment variable, or in the state folder. */
export const find = (
  { hasToken, tokenFile }: Http,
  env: NodeJS.ProcessEnv
): Effect.Effect<HttpToken, StartError, StateFolder> => {
  const fromVariable = fromEnvironment(env)
  if (!hasToken) return Effect.succeed({ value: undefined, place: undefined })
  if (tokenFile !== undefined) return Effect.map(Token.read(tokenFile), (value) => ({ value, place: tokenFile }))
  return fromVariable === undefined
    ? stored
    : Effect.map(Token.given(fromVariable, variable), (value) => ({ value, place: variable }))
}

/** Says where the token is. Only on a terminal the line has the token itself, because other output may be stored. */
export const line = ({ place, value }: HttpToken, isTerminal: boolean): string => {
  if (value === undefined) return "It asks for no token: every user of this machine can use it"
  if (place === undefined && !isTerminal) {
    return "It asks for a token that was made for this run and cannot be kept: give one with --token-file or MCP_LIFELINE_TOKEN"
  }
  return isTerminal && place !== variable
    ? `Clients must send this header: Authorization: Bearer ${Redacted.value(value.current()[0])}`
    : `Clients must send the header Authorization: Bearer <token>; the token is in ${place}`
}
