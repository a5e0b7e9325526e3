/**
 * The rules of the file in use, and the tokens of clients, whose files are read again when they are saved.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import type { Problem as OptionProblem } from "@mcp-lifeline/core/options"
import type { Holder } from "@mcp-lifeline/http-server/Authentication"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, ExecutionStrategy, Exit, Redacted, Scope } from "effect"
import { resolve } from "node:path"
import { type Problem, show } from "../document/Problem.js"
import * as SecretFile from "../files/SecretFile.js"
import { StartError } from "../text/Errors.js"
import { RulesInUse } from "./AccessControl.js"
import * as NamedCaller from "./NamedCaller.js"
import * as Token from "./Token.js"

/** The rules of a file. `problem`: at one of the keys of `lifeline`. */
export interface FileAccess extends McpConfig.Access {
  readonly problem: (key: OptionProblem.Path, message: string) => Problem
}

interface Client {
  readonly name: string
  /** One object for all requests: what it may use is cached by it. */
  readonly caller: Caller
  readonly tokens: SecretFile.SecretsInUse
  /** At its key in the file. */
  readonly problem: (message: string) => Problem
}

export interface Loaded {
  readonly rules: McpConfig.Access | undefined
  readonly clients: ReadonlyArray<Client>
}

const readToken = (
  { name, token, tokenFile }: McpConfig.NamedClient,
  problemAt: FileAccess["problem"],
  folder: string
): Effect.Effect<Client, StartError> => {
  const client = {
    name,
    caller: NamedCaller.of(name),
    problem: (message: string) => problemAt(["clients", name], message)
  }
  if (tokenFile === undefined) {
    const fixed = token === undefined ? Effect.dieMessage(`${name} has no token`) : Effect.succeed(token)
    return Effect.map(fixed, (one) => ({ ...client, tokens: SecretFile.fixed([one]) }))
  }
  const path = resolve(folder, tokenFile)
  const place = show(problemAt(["clients", name, "tokenFile"], `names ${path}, which`))
  const unread = (cause: UserFile.ReadError) =>
    new StartError({ message: `${place} cannot be read: ${cause.message}; name a readable file with a token`, cause })
  return Effect.map(
    SecretFile.make(path, `token of ${name}`, (text) =>
      text.pipe(
        Effect.mapError(unread),
        Effect.flatMap((text) => SecretFile.parse(text, place, Token.rules)),
        Effect.mapError((error) => new StartError({ message: error.message.replace(`${place}: `, `${place} `) }))
      )),
    (tokens) => ({ ...client, tokens })
  )
}

const valuesOf = (tokens: ReadonlyArray<Redacted.Redacted>): ReadonlyArray<string> => tokens.map(Redacted.value)

/** Nobody could tell who sends such a token. `consequence`: of that, a clause. */
const sameTokens = (
  clients: ReadonlyArray<Client>,
  ofGateway: ReadonlyArray<Redacted.Redacted>,
  consequence = ""
): ReadonlyArray<Problem> => {
  const owners = new Map(valuesOf(ofGateway).map((token) => [token, "the gateway itself"]))
  return clients.flatMap(({ name, problem, tokens }) => {
    const others = new Set<string>()
    for (const token of new Set(valuesOf(tokens.current()))) {
      const other = owners.get(token)
      if (other !== undefined) others.add(other)
      owners.set(token, name)
    }
    return Array.from(
      others,
      (other) => problem(`has the same token as ${other}${consequence}; give each its own: openssl rand -base64 32`)
    )
  })
}

const refuse = (
  { clients }: Loaded,
  ofGateway: ReadonlyArray<Redacted.Redacted>
): Effect.Effect<void, StartError> => {
  const [same] = sameTokens(clients, ofGateway)
  return same === undefined ? Effect.void : new StartError({ message: show(same) })
}

/** `folder`: to which relative paths refer. Fails if a token cannot be used, or is one `ofGateway`: somebody might be let in as somebody else. */
export const load = (
  access: FileAccess | undefined,
  folder: string,
  ofGateway: ReadonlyArray<Redacted.Redacted>
): Effect.Effect<Loaded, StartError> =>
  Effect.gen(function*() {
    if (access === undefined) return { rules: undefined, clients: [] }
    const { clients: named, problem, ...others } = access
    const clients = yield* Effect.forEach(named, (one) => readToken(one, problem, folder), { concurrency: "unbounded" })
    const loaded = { rules: { ...others, clients: named }, clients }
    yield* refuse(loaded, ofGateway)
    return loaded
  })

/** All such problems. The gateway's own tokens are not known here. */
export const problems = (
  access: FileAccess | undefined,
  folder: string
): Effect.Effect<ReadonlyArray<Problem>> =>
  Effect.gen(function*() {
    if (access === undefined) return []
    const { clients: named, problem } = access
    const [unread, clients] = yield* Effect.partition(named, (one) =>
      Effect.mapError(readToken(one, problem, folder), ({ message }) => {
        const path = ["clients", one.name, "tokenFile"]
        // The message begins with the place.
        return problem(path, message.slice(show(problem(path, "")).length))
      }), { concurrency: "unbounded" })
    return [...unread, ...sameTokens(clients, [])]
  })

export interface AccessInUse {
  readonly control: RulesInUse
  readonly holders: () => ReadonlyArray<Holder>
  /** Stays true once it is: a file from which all clients are removed opens nothing. */
  readonly isNeeded: () => boolean
  /** Fails if a client has one of these tokens. */
  readonly refuse: (ofGateway: ReadonlyArray<Redacted.Redacted>) => Effect.Effect<void, StartError>
  /**
   * Which tokens several have now; `undefined` if there are none. Nobody is let in with them: after a mistake in a file, no client may pass for another, or
   * for the operator.
   */
  readonly problem: () => string | undefined
  /** Warns of such tokens, once. */
  readonly compare: Effect.Effect<void>
  readonly whenNeeded: (run: Effect.Effect<void>) => Effect.Effect<void>
  readonly use: (loaded: Loaded) => Effect.Effect<void>
}

export const make = (
  first: Loaded,
  changed: (line: string) => Effect.Effect<void>,
  ofGateway: () => ReadonlyArray<Redacted.Redacted> = () => []
): Effect.Effect<AccessInUse, never, Scope.Scope> =>
  Effect.gen(function*() {
    const parent = yield* Effect.scope
    const control = new RulesInUse(first.rules)
    let { clients } = first
    // Also if the file names no client: whoever removed the last one does not mean everybody.
    let isNeeded = first.rules !== undefined
    let onNeeded = Effect.void
    let warned: string | undefined
    const shared = (): string | undefined => {
      const found = sameTokens(clients, ofGateway(), ", so that nobody is let in with it")
      return found.length === 0 ? undefined : found.map(show).join("; ")
    }
    const compare = Effect.suspend(() => {
      const now = shared()
      if (now === warned) return Effect.void
      warned = now
      return now === undefined ? Effect.void : Effect.logWarning(now)
    })
    const readAgain = (line: string) =>
      Effect.all([Effect.sync(() => control.changed()), changed(line), compare], { discard: true })
    const follow = (all: ReadonlyArray<Client>) =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(parent, ExecutionStrategy.parallel)
        yield* Scope.extend(Effect.forEach(all, ({ tokens }) => tokens.follow(readAgain), { discard: true }), scope)
        return scope
      })
    let scope = yield* follow(clients)
    return {
      control,
      holders: () => clients.map(({ caller, tokens: { current } }) => ({ caller, tokens: current() })),
      isNeeded: () => isNeeded,
      refuse: (ofGateway) => refuse(first, ofGateway),
      problem: shared,
      compare,
      whenNeeded: (run) =>
        Effect.sync(() => {
          onNeeded = run
        }),
      use: (loaded) =>
        Effect.gen(function*() {
          const before = scope
          clients = loaded.clients
          const isFirst = !isNeeded && loaded.rules !== undefined
          isNeeded ||= isFirst
          if (isFirst) yield* onNeeded
          control.set(loaded.rules)
          scope = yield* follow(clients)
          yield* Scope.close(before, Exit.void)
        })
    }
  })
