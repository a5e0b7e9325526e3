/** The configuration in use; `reload` brings an edit to running servers. */
import type { McpConfig } from "@mcp-lifeline/config"
import type { Fleet, InvalidOptions } from "@mcp-lifeline/core"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
import * as Browser from "@mcp-lifeline/sign-in/Browser"
import type { PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Cause, Effect, Either, ExecutionStrategy, Exit, type Redacted, Scope } from "effect"
import { dirname, resolve } from "node:path"
import * as AccessInUse from "../access/AccessInUse.js"
import * as Problem from "../document/Problem.js"
import { digest } from "../files/digest.js"
import * as SavedFile from "../files/savedFile.js"
import type { PersonalSignIns } from "../sign-in/PersonalSignIns.js"
import { StartError } from "../text/Errors.js"
import type * as Output from "../text/Output.js"
import { clean } from "../text/Text.js"
import * as Backends from "./Backends.js"
import { forEntries, ofClients } from "./forEntries.js"
import * as McpJson from "./McpJson.js"

interface ServerInUse {
  readonly fingerprint: string
  readonly options: Backends.Server
  readonly signIn: SignIn.SignIn | undefined
  readonly personal: PersonalSignIns | undefined
  readonly scope: Scope.CloseableScope
}

type ServersInUse = ReadonlyMap<string, ServerInUse>

export interface Target {
  readonly apply: (servers: ReadonlyArray<Backends.Server>) => Effect.Effect<Fleet.Applied, InvalidOptions>
  /** After the user has signed in to it. */
  readonly signedIn: (server: string) => Effect.Effect<void>
}

export interface Configuration {
  readonly servers: ReadonlyArray<Backends.Server>
  readonly hasStatus: () => boolean
  /** How many servers of single clients may run at once; `undefined`: no limit. */
  readonly maxOwnServers: () => number | undefined
  /** Whether the option exists is decided at the start. */
  readonly auth: () => McpConfig.Auth | undefined
  readonly access: AccessInUse.AccessInUse
  /** What the user of a client has to do to sign in; `undefined` if nothing. Default: of any client. */
  readonly login: (server: string, caller?: Caller) => string | undefined
  /** Why the file, or a part of it, is not in use; `undefined` if it is. */
  readonly refused: () => string | undefined
  readonly signIn: (name: string) => SignIn.SignIn | undefined
  readonly personalSignIns: (name: string) => PersonalSignIns | undefined
  /** Shows logins to finish, and applies each new version of the file, until the scope closes. */
  readonly follow: (target: Target) => Effect.Effect<void, never, Scope.Scope>
}

/** `how`: how to give another file. */
export const read = (file: string, how: string): Effect.Effect<string, StartError> =>
  Effect.mapError(
    UserFile.text(file),
    (cause) => new StartError({ message: `${file}: ${cause.message}; ${remedies[cause.reason]}${how}`, cause })
  )

const remedies: Readonly<Record<UserFile.ReadError["reason"], string>> = {
  missing: "give one that exists",
  denied: "change its permissions or give another",
  other: "give another file"
}

const fingerprint = ({ placement, policy, server, sessions }: McpJson.Entry): string =>
  digest([server, policy, sessions, placement])

interface Loaded {
  readonly used: ServersInUse
  readonly statusTool: boolean
  readonly maxOwnServers: number | undefined
  readonly auth: McpConfig.Auth | undefined
  readonly access: AccessInUse.Loaded
  /** Of what the file says beside the servers, by its keys. */
  readonly parts: ReadonlyMap<string, string>
  readonly problems: ReadonlyArray<string>
  /** Because of which entries of the file are not in use. */
  readonly refused: ReadonlyArray<string>
}

const partsOf = (
  { access, auth, maxOwnServers, statusTool }: McpJson.McpJson
): ReadonlyMap<string, string> => {
  const { clients, groups } = access ?? {}
  const parts = { clients, groups, auth, maxOwnServers, statusTool }
  return new Map(Object.entries(parts).map(([key, value]) => [`lifeline.${key}`, digest([value])]))
}

/** Fails if the file is unusable as a whole. Unchanged servers stay the same objects. */
const load = (
  file: string,
  before: ServersInUse,
  parent: Scope.Scope,
  env: Readonly<Record<string, string>> | undefined,
  ofGateway: () => ReadonlyArray<Redacted.Redacted>,
  publicRedirects: PublicRedirects | undefined
) =>
  Effect.gen(function*() {
    const text = yield* read(file, " with --config")
    const parsed = yield* Either.mapLeft(
      McpJson.parse(file, text, process.env),
      ({ problem }) => new StartError({ message: Problem.show(problem) })
    )
    const folder = dirname(resolve(file))
    const access = yield* AccessInUse.load(parsed.access, folder, ofGateway())
    const [unread, entries] = yield* Backends.completed(parsed.entries, folder)
    const terminal = process.stdin.isTTY && process.stdout.isTTY
    const browser = Browser.choose(undefined, terminal, process.env)
    const found = new Map<string, ServerInUse>()
    const refused: Array<Problem.Problem> = []
    for (const entry of entries) {
      const own = before.get(entry.name)
      const print = fingerprint(entry)
      if (own?.fingerprint === print) {
        const { prefix } = entry
        found.set(entry.name, own.options.prefix === prefix ? own : { ...own, options: { ...own.options, prefix } })
        continue
      }
      const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      const signIns = yield* Scope.extend(forEntries([entry], browser), scope)
      const signIn = signIns.get(entry.name)
      const personal = yield* Scope.extend(ofClients(entry, publicRedirects), scope)
      const { backends: [options], problems } = Backends.fromEntries(
        [entry],
        folder,
        new Map([[entry.name, { authorization: signIn?.authorization, personal }]]),
        env
      )
      for (const one of problems) refused.push(one)
      if (options === undefined) yield* Scope.close(scope, Exit.void)
      else found.set(entry.name, { fingerprint: print, options, signIn, personal, scope })
    }
    const problems = [...parsed.problems, ...unread, ...refused]
    // In the order of the file. An invalid entry keeps the server from before.
    const used = parsed.names.flatMap((name) => {
      const one = found.get(name) ?? before.get(name)
      return one === undefined ? [] : [[name, one] as const]
    })
    const loaded: Loaded = {
      used: new Map(used),
      statusTool: parsed.statusTool,
      maxOwnServers: parsed.maxOwnServers,
      auth: parsed.auth,
      access,
      parts: partsOf(parsed),
      problems: [...problems, ...parsed.notices].map(Problem.show),
      refused: problems.map(Problem.show)
    }
    return { ...loaded, isUsable: parsed.isUsable, isEmpty: parsed.names.length === 0 && problems.length === 0 }
  })

const showSignIn = (
  name: string,
  { scope, signIn }: ServerInUse,
  output: Output.Output
): Effect.Effect<void> =>
  signIn === undefined
    ? Effect.void
    : signIn.follow((state) =>
      state._tag === "LoginNeeded" || state._tag === "Refused"
        ? output.line(`${name}: ${clean(SignInState.show(state))}`)
        : Effect.void
    ).pipe(
      Effect.interruptible,
      Effect.forkIn(scope),
      Effect.asVoid
    )

const connectWhenDone = (name: string, { scope, signIn }: ServerInUse, target: Target): Effect.Effect<void> =>
  signIn === undefined ? Effect.void : Scope.extend(SignIn.whenDone(signIn, target.signedIn(name)), scope)

const listOf = (verb: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.length === 0 ? [] : [`${verb} ${names.join(", ")}`]

/** `others`: what has changed beside the servers. */
const outcome = (
  file: string,
  { kept, replaced, started, stopped }: Fleet.Applied,
  renamed: ReadonlyArray<string>,
  others: ReadonlyArray<string>,
  count: number
): string => {
  const done = [
    ...listOf("started", started),
    ...listOf("stopped", stopped),
    ...listOf("replaced", replaced),
    ...listOf("kept as it was, since its new options lead to no connection:", kept),
    ...listOf("another prefix for the names of", renamed)
  ]
  const same = count - started.length - replaced.length - kept.length - renamed.length
  const rest = same === 0
    ? []
    : [done.length > 0 ? `${same} not changed` : others.length > 0 ? "no server has changed" : "nothing has changed"]
  return `${file}: read again: ${[...listOf("changed", others), ...done, ...rest].join("; ") || "it names no servers"}`
}

const restart = "restart the gateway for that: until then it lets in whom it has let in before"

const unchanged = "nothing is changed, and the servers go on as they were"

/**
 * Fails if the file has no valid server. `env`: added to that of servers over stdio. `ofGateway`: tokens that no client may have. `publicRedirects`: for
 * logins of clients; default: on this machine.
 */
export const make = (
  file: string,
  output: Output.Output,
  env?: Readonly<Record<string, string>>,
  ofGateway: () => ReadonlyArray<Redacted.Redacted> = () => [],
  publicRedirects?: PublicRedirects
): Effect.Effect<Configuration, StartError, StateFolder | Scope.Scope> =>
  Effect.gen(function*() {
    const parent = yield* Effect.scope
    const context = yield* Effect.context<StateFolder>()
    const before = yield* SavedFile.fingerprint(file, undefined)
    const first = yield* load(file, new Map(), parent, env, ofGateway, publicRedirects)
    yield* Effect.forEach(first.problems, output.problem)
    if (first.used.size === 0) {
      const why = first.isEmpty
        ? "it names no servers; add one"
        : first.isUsable
        ? "none of its servers can be used (see above)"
        : "it cannot be used before that is corrected (see above)"
      return yield* new StartError({ message: `${file}: ${why}` })
    }
    let { auth, maxOwnServers, parts, refused, statusTool, used } = first
    const access = yield* AccessInUse.make(first.access, output.line, ofGateway)

    const reload = (target: Target) =>
      Effect.gen(function*() {
        const next = yield* load(file, used, parent, env, ofGateway, publicRedirects)
        yield* Effect.forEach(next.problems, output.problem)
        refused = next.refused
        if (!next.isUsable) {
          return yield* output.problem(`${file}: ${unchanged}`)
        }
        if ((next.auth === undefined) === (auth === undefined)) auth = next.auth
        else {
          const problem = `${file}: lifeline.auth: was ${auth === undefined ? "added" : "removed"}; ${restart}`
          refused = [...refused, problem]
          yield* output.problem(problem)
        }
        const fresh = [...next.used].filter(([name, { scope }]) => used.get(name)?.scope !== scope)
        yield* Effect.forEach(fresh, ([name, one]) => showSignIn(name, one, output))
        statusTool = next.statusTool
        maxOwnServers = next.maxOwnServers
        // Before the servers: nobody uses one meanwhile that it may not.
        yield* access.use(next.access)
        const applied = yield* target.apply(Array.from(next.used.values(), ({ options }) => options))
        yield* Effect.forEach(fresh, ([name, one]) => connectWhenDone(name, one, target))
        const gone = [...used].filter(([name, { scope }]) =>
          next.used.get(name)?.scope !== scope && !applied.kept.includes(name)
        )
        const renamed = [...next.used].flatMap(([name, { options, scope }]) => {
          const before = used.get(name)
          return before?.scope === scope && before.options.prefix !== options.prefix ? [name] : []
        })
        used = next.used
        yield* Effect.forEach(gone, ([, { scope }]) => Scope.close(scope, Exit.void))
        const others = Array.from(next.parts).flatMap(([key, part]) => parts.get(key) === part ? [] : [key])
        parts = next.parts
        yield* output.line(outcome(file, applied, renamed, others, next.used.size))
      }).pipe(
        Effect.catchAll(({ message }) => {
          refused = [message]
          return output.problem(`${message}; ${unchanged}`)
        }),
        // A defect does not stop later reads.
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.failCause(cause)
            : Effect.logError(`${file} could not be read again; the servers go on as they were`, cause)
        ),
        Effect.provide(context)
      )

    return {
      servers: Array.from(first.used.values(), ({ options }) => options),
      hasStatus: () => statusTool,
      maxOwnServers: () => maxOwnServers,
      auth: () => auth,
      access,
      refused: () => {
        const [first, ...more] = refused
        return more.length === 0 ? first : `${first} (and ${more.length} more)`
      },
      login: (server, caller = anyone) => {
        const one = used.get(server)
        const signIn = caller.subject === "" || one?.personal === undefined ? one?.signIn : one.personal.inUse(caller)
        // Reading a Ref is synchronous: errors of calls get the text without a fiber.
        return signIn === undefined ? undefined : SignInState.toDo(Effect.runSync(signIn.state))
      },
      signIn: (name) => used.get(name)?.signIn,
      personalSignIns: (name) => used.get(name)?.personal,
      follow: (target) =>
        Effect.gen(function*() {
          yield* Effect.forEach(
            first.used,
            ([name, one]) => Effect.zipRight(showSignIn(name, one, output), connectWhenDone(name, one, target)),
            { discard: true }
          )
          yield* SavedFile.follow(file, before, {
            changed: reload(target),
            gone: output.problem(`${file} is gone; the servers go on as they were, and it is read when it is back`)
          }).pipe(Effect.interruptible, Effect.forkScoped)
        })
    }
  })
