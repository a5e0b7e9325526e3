/**
 * Generated if none is given and others than this machine can reach the gateway. Several may be accepted, so that one can be replaced while
 * clients use it.
 */
import { McpConfig } from "@mcp-lifeline/config"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { Effect, Redacted } from "effect"
import * as SecretFile from "../files/SecretFile.js"
import { StartError, UsageError } from "../text/Errors.js"

export interface Options {
  readonly host: string
  /** A proxy in front lets others reach the gateway, wherever it listens. */
  readonly isBehindProxy?: boolean | undefined
  /** Clients have access tokens of an authorization server: only programs of this user need the token. */
  readonly hasAuth?: boolean | undefined
  readonly token: Redacted.Redacted | undefined
  /** Overrides `token`. */
  readonly tokenFile: string | undefined
}

/** `undefined` if none is needed. `isNew`: it was generated, and clients need it. */
export interface Token {
  readonly value: SecretFile.SecretsInUse | undefined
  readonly isNew: boolean
}

export const rules = {
  what: "token",
  remedy: "write one into it, on one line and without spaces",
  check: (text: string) => {
    const problem = McpConfig.tokenProblem(text)
    return problem === "none" ? "contains no token" : problem && McpConfig.tokenMessage(problem)
  }
}

export const read = (file: string): Effect.Effect<SecretFile.SecretsInUse, StartError> =>
  SecretFile.make(file, "token", (text) =>
    text.pipe(
      Effect.mapError((cause) => {
        const message = `${file}: cannot read the token: ${cause.message}; name a readable file with --token-file`
        return new StartError({ message, cause })
      }),
      Effect.flatMap((text) => SecretFile.parse(text, file, rules))
    ))

export const find = (
  { hasAuth = false, host, isBehindProxy = false, token, tokenFile }: Options
): Effect.Effect<Token, StartError | UsageError> => {
  if (tokenFile !== undefined) return Effect.map(read(tokenFile), (value) => ({ value, isNew: false }))
  if (token !== undefined) {
    const problem = McpConfig.tokenProblem(Redacted.value(token))
    return problem === undefined
      ? Effect.succeed({ value: SecretFile.fixed([token]), isNew: false })
      : Effect.fail(new UsageError({ message: `--token or MCP_LIFELINE_TOKEN: ${McpConfig.tokenMessage(problem)}` }))
  }
  return Guard.isLoopback(host) && !isBehindProxy && !hasAuth
    ? Effect.succeed({ value: undefined, isNew: false })
    : Effect.sync(() => ({ value: SecretFile.fixed([SealedId.randomSecret()]), isNew: !hasAuth }))
}
