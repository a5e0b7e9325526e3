/**
 * Who may use what, as the file in use says: the rules, and the tokens of clients with names, whose files are read again when they are saved.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, ExecutionStrategy, Exit, Redacted, Scope } from "effect"
import { resolve } from "node:path"
import { type FileAccess, type Problem, show } from "../config/McpJson.js"
import { StartError } from "../Errors.js"
import * as SecretFile from "../http/SecretFile.js"
import * as Token from "../http/Token.js"
import { RulesInUse } from "./AccessControl.js"
import type { NamedTokens } from "./ClientTokens.js"

/** A client whose tokens were read. */
interface Client {
  readonly name: string
  readonly tokens: SecretFile.SecretsInUse
}

/** Rules whose tokens were read. */
export interface Loaded {
  readonly rules: McpConfig.Access | undefined
  readonly problem: FileAccess["problem"] | undefined
  readonly clients: ReadonlyArray<Client>
}

const readToken = (
  { name, token, tokenFile }: McpConfig.NamedClient,
  problem: FileAccess["problem"],
  folder: string
): Effect.Effect<Client, StartError> => {
  if (tokenFile === undefined) {
    const fixed = token === undefined ? Effect.dieMessage(`${name} has no token`) : Effect.succeed(token)
    return Effect.map(fixed, (one) => ({ name, tokens: SecretFile.fixed([one]) }))
  }
  const path = resolve(folder, tokenFile)
  const place = show(problem(["clients", name, "tokenFile"], `names ${path}, which`))
  const unread = (cause: UserFile.ReadError) =>
    new StartError({ message: `${place} cannot be read: ${cause.message}; name a readable file with a token`, cause })
  return Effect.map(
    SecretFile.make(path, `token of ${name}`, (text) =>
      text.pipe(
        Effect.mapError(unread),
        Effect.flatMap((text) => SecretFile.parse(text, place, Token.rules)),
        Effect.mapError((error) => new StartError({ message: error.message.replace(`${place}: `, `${place} `) }))
      )),
    (tokens) => ({ name, tokens })
  )
}

const valuesOf = (tokens: ReadonlyArray<Redacted.Redacted>): ReadonlyArray<string> => tokens.map(Redacted.value)

/** The problem of two clients with the same token, of which nobody could tell who sends it. */
const sameToken = (
  clients: ReadonlyArray<Client>,
  ofGateway: ReadonlyArray<Redacted.Redacted>,
  problem: FileAccess["problem"]
): Problem | undefined => {
  const owners = new Map(valuesOf(ofGateway).map((token) => [token, "the gateway itself"]))
  for (const { name, tokens } of clients) {
    for (const token of new Set(valuesOf(tokens.current()))) {
      const other = owners.get(token)
      if (other !== undefined) {
        return problem(["clients", name], `has the same token as ${other}; give each its own: openssl rand -base64 32`)
      }
      owners.set(token, name)
    }
  }
  return undefined
}

const refuse = (
  { clients, problem }: Loaded,
  ofGateway: ReadonlyArray<Redacted.Redacted>
): Effect.Effect<void, StartError> => {
  const same = problem && sameToken(clients, ofGateway, problem)
  return same === undefined ? Effect.void : new StartError({ message: show(same) })
}

/**
 * Reads the tokens of all clients. `folder`: that of the file, to which relative paths refer. `ofGateway`: its own tokens, which no client may have. Fails
 * if one cannot be used: otherwise somebody might be let in as somebody else.
 */
export const load = (
  access: FileAccess | undefined,
  folder: string,
  ofGateway: ReadonlyArray<Redacted.Redacted>
): Effect.Effect<Loaded, StartError> =>
  Effect.gen(function*() {
    if (access === undefined) return { rules: undefined, problem: undefined, clients: [] }
    const { clients: named, groups, problem } = access
    const clients = yield* Effect.forEach(named, (one) => readToken(one, problem, folder), { concurrency: "unbounded" })
    const loaded = { rules: { clients: named, groups }, problem, clients }
    yield* refuse(loaded, ofGateway)
    return loaded
  })

/** See the head of the file. */
export interface AccessInUse {
  readonly control: RulesInUse
  /** The clients that are let in now. */
  readonly tokens: () => ReadonlyArray<NamedTokens>
  /** Whether requests need credentials. Once they have, they always do: a file from which all clients are removed opens nothing. */
  readonly isNeeded: () => boolean
  /** Fails if a client has one of these tokens, which are the gateway's own. */
  readonly refuse: (ofGateway: ReadonlyArray<Redacted.Redacted>) => Effect.Effect<void, StartError>
  /** Runs this once requests need credentials, if they do not yet. */
  readonly whenNeeded: (run: Effect.Effect<void>) => Effect.Effect<void>
  /** Replaces the rules and tokens, and follows the files of these. */
  readonly use: (loaded: Loaded) => Effect.Effect<void>
}

/** Uses what was loaded, until the scope closes. `changed`: takes a line about each file that was read again. */
export const make = (
  first: Loaded,
  changed: (line: string) => Effect.Effect<void>
): Effect.Effect<AccessInUse, never, Scope.Scope> =>
  Effect.gen(function*() {
    const parent = yield* Effect.scope
    const control = new RulesInUse(first.rules)
    let { clients } = first
    let isNeeded = clients.length > 0
    let onNeeded = Effect.void
    const follow = (all: ReadonlyArray<Client>) =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(parent, ExecutionStrategy.parallel)
        yield* Scope.extend(Effect.forEach(all, ({ tokens }) => tokens.follow(changed), { discard: true }), scope)
        return scope
      })
    let scope = yield* follow(clients)
    return {
      control,
      tokens: () => clients.map(({ name, tokens: { current } }) => ({ name, current })),
      isNeeded: () => isNeeded,
      refuse: (ofGateway) => refuse(first, ofGateway),
      whenNeeded: (run) =>
        Effect.sync(() => {
          onNeeded = run
        }),
      use: (loaded) =>
        Effect.gen(function*() {
          const before = scope
          clients = loaded.clients
          const isFirst = !isNeeded && clients.length > 0
          isNeeded ||= isFirst
          if (isFirst) yield* onNeeded
          control.set(loaded.rules)
          scope = yield* follow(clients)
          yield* Scope.close(before, Exit.void)
        })
    }
  })
