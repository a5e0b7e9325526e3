/**
 * The token that `wrap --http` asks of each request: given, or made once and kept in the state folder, so that what a host has in its
 * configuration stays right.
 */
import { attempt, hasCode, readPrivate, replace } from "@mcp-lifeline/state/privateFiles"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { join } from "node:path"
import type { StartError } from "../Errors.js"
import * as Token from "../http/Token.js"
import type { Http } from "./Arguments.js"

/** The variable that may have it. */
const variable = "MCP_LIFELINE_TOKEN"

/** The token, if there is to be one, and where a person finds it. */
export interface HttpToken {
  readonly value: Redacted.Redacted | undefined
  /** For the end of a sentence; undefined where nobody has it but this process. */
  readonly place: string | undefined
}

/** Takes the variable out of the environment, which the server would inherit. */
const fromEnvironment = (env: NodeJS.ProcessEnv): Redacted.Redacted | undefined => {
  const { [variable]: text } = env
  delete env[variable]
  return text === undefined || text === "" ? undefined : Redacted.make(text)
}

/** The token in the state folder; the first process makes it. */
const kept: Effect.Effect<HttpToken, never, StateFolder> = Effect.gen(function*() {
  const { lock, privateFolder } = yield* StateFolder
  const file = join(yield* privateFolder("wrap"), "token")
  yield* lock("wrap-token")
  const known = yield* attempt(() => readPrivate(file)).pipe(
    Effect.catchIf(({ cause }) => hasCode(cause, "ENOENT"), () => Effect.succeed(""))
  )
  const value = known.trim() === "" ? Token.random() : Redacted.make(known.trim())
  if (known.trim() === "") yield* attempt(() => replace(file, `${Redacted.value(value)}\n`))
  return { value, place: file }
}).pipe(
  Effect.scoped,
  Effect.catchTag("FileFailure", () => Effect.sync(() => ({ value: Token.random(), place: undefined })))
)

/** Finds the token. */
export const find = (
  { hasToken, tokenFile }: Http,
  env: NodeJS.ProcessEnv
): Effect.Effect<HttpToken, StartError, StateFolder> => {
  const given = fromEnvironment(env)
  if (!hasToken) return Effect.succeed({ value: undefined, place: undefined })
  if (tokenFile !== undefined) return Effect.map(Token.read(tokenFile), (value) => ({ value, place: tokenFile }))
  return given === undefined ? kept : Effect.succeed({ value: given, place: variable })
}

/** What a person has to know of it. A terminal is shown the token itself; elsewhere lines are kept. */
export const line = ({ place, value }: HttpToken, isTerminal: boolean): string => {
  if (value === undefined) return "It asks for no token: every user of this machine can use it"
  if (place === undefined && !isTerminal) {
    return "It asks for a token that was made for this run and cannot be kept: give one with --token-file or MCP_LIFELINE_TOKEN"
  }
  return isTerminal && place !== variable
    ? `Clients must send this header: Authorization: Bearer ${Redacted.value(value)}`
    : `Clients must send the header Authorization: Bearer <token>; the token is in ${place}`
}
