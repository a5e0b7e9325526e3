import * as ServerName from "@mcp-lifeline/config/ServerName"
import type { ByteSize, ConnectError, Connector } from "@mcp-lifeline/core"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import type * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { SecretCommand, StdioConnector } from "@mcp-lifeline/transport-stdio"
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { Scope } from "effect"
import { Effect, Record, Redacted } from "effect"
import { resolve } from "node:path"
import { processRecords } from "../process/processRecords.js"
import { issuerOption } from "../sign-in/options.js"
import * as OwnCredentials from "../sign-in/ownCredentials.js"
import { UsageError } from "../text/Errors.js"
import type { Address, Command, Wrap } from "./Arguments.js"

export interface Surroundings {
  /** For `${NAME}` in the command line. */
  readonly variables: NodeJS.ProcessEnv
  readonly env: NonNullable<StdioConnector.Options["env"]>
  /** Whether it has all variables of this process. */
  readonly inheritEnv: boolean
  /** Where it is started, and its files and commands are. */
  readonly cwd: string | undefined
  readonly stderr?: ((line: string) => void) | undefined
}

/** After stdin was closed, and after SIGTERM. Together this is less than 3 s. */
const graces = { stdinGrace: "1 second", termGrace: "800 millis" } as const

/** Of a message of the server, in bytes. The limit for hosts is the same. */
const maxMessageBytes = 64 * 1024 * 1024

/** `what` names the text in the error if a variable is not set. */
const expanded = (text: string, what: string, env: NodeJS.ProcessEnv): string => {
  let result = ""
  let from = 0
  for (let start = text.indexOf("${"); start !== -1; start = text.indexOf("${", from)) {
    const end = text.indexOf("}", start)
    if (end === -1) break
    const variable = text.slice(start + 2, end)
    const found = Object.hasOwn(env, variable) ? env[variable] : undefined
    if (found === undefined) {
      throw new UsageError({ message: `${what} has \${${variable}}, which is not set in the environment` })
    }
    result += text.slice(from, start) + found
    from = end + 1
  }
  return result + text.slice(from)
}

/** By the name of the variable. */
type Readings = Readonly<Record<string, Effect.Effect<Redacted.Redacted, ConnectError>>>

/** Messages show only the name: the arguments of the command may be a secret. */
const secretsOf = (lines: ReadonlyArray<string>, cwd: string | undefined): Readings =>
  Object.fromEntries(lines.map((line) => {
    const [, name, command = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(line) ?? []
    if (name === undefined) throw new UsageError({ message: "a secret is not written as NAME=COMMAND" })
    if (command.trim() === "") {
      throw new UsageError({ message: `the secret ${name} has no command; write ${name}=COMMAND` })
    }
    return [name, SecretCommand.make({ ...SecretCommand.ofLine(command), cwd })]
  }))

const isRead = (value: Surroundings["env"][string]): value is Readings[string] => Effect.isEffect(value)

type Header = Redacted.Redacted | Effect.Effect<Redacted.Redacted, ConnectError>

/** Messages show only the name: the value may be a secret. */
const header = (line: string, env: NodeJS.ProcessEnv, secrets: Readings): readonly [string, Header] => {
  const colon = line.indexOf(":")
  const name = line.slice(0, Math.max(0, colon)).trim()
  if (name === "" || /\s/.test(name)) {
    throw new UsageError({ message: "a header is not written as NAME: VALUE" })
  }
  const text = line.slice(colon + 1).trim()
  const value = (variables: NodeJS.ProcessEnv) => Redacted.make(expanded(text, `the header ${name}`, variables))
  const used = Record.filter(secrets, (_, secret) => text.includes(`\${${secret}}`))
  if (Record.isEmptyRecord(used)) return [name, value(env)]
  // Complains at once about a variable that is not set.
  value({ ...env, ...Record.map(used, () => "") })
  return [
    name,
    Effect.map(
      Effect.all(used, { concurrency: "unbounded" }),
      (found) => value({ ...env, ...Record.map(found, (one) => Redacted.value(one)) })
    )
  ]
}

const textOf = (option: string, file: string, cwd = "."): Effect.Effect<string, UsageError> =>
  Effect.mapError(
    UserFile.text(resolve(cwd, file)),
    ({ message }) => new UsageError({ message: `${option} ${file} cannot be read: ${message}` })
  )

const linesOf = (
  file: string | undefined,
  cwd: string | undefined
): Effect.Effect<ReadonlyArray<string>, UsageError> =>
  file === undefined
    ? Effect.succeed([])
    : Effect.map(textOf("--header-file", file, cwd), (text) => text.split("\n").filter((line) => line.trim() !== ""))

export interface Server {
  readonly connector: Connector
  readonly signIn: SignIn.SignIn | undefined
}

const isSignInChosen = ({ account, browser, client: { method, ...client } }: Address): boolean =>
  browser || account !== undefined || method !== "browser" || Object.values(client).some((value) => value !== undefined)

const overHttp = (
  server: Address,
  { protocol, secrets }: Wrap,
  surroundings: Surroundings
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const { cwd, env, variables } = surroundings
    const lines = [...yield* linesOf(server.headerFile, cwd), ...server.headers]
    // Loaded only here: `wrap` of a command does not need it.
    const { HttpConnector } = yield* Effect.promise(() => import("@mcp-lifeline/transport-http"))
    const wrong = (cause: unknown): UsageError =>
      cause instanceof UsageError ? cause : new UsageError({ message: (cause as Error).message })
    const headers = yield* Effect.try({
      try: () => {
        const readings = { ...Record.filter(env, isRead), ...secretsOf(secrets, cwd) }
        return lines.map((line) => header(line, variables, readings))
      },
      catch: wrong
    })
    const own = OwnCredentials.of(server.url, headers.map(([name]) => name))
    const signIn = own === "certain"
      ? undefined
      : yield* signInTo(server, surroundings, own === "none" || isSignInChosen(server))
    const connector = yield* Effect.try({
      try: () =>
        HttpConnector.make({
          url: server.url,
          transport: server.transport,
          headers: Object.fromEntries(headers),
          authorization: signIn?.authorization,
          protocol
        }),
      catch: wrong
    })
    return { connector, signIn }
  })

const signInTo = (
  { account, browser, client, url }: Address,
  { cwd, variables }: Surroundings,
  isAutomatic: boolean
) =>
  Effect.gen(function*() {
    const [SignIn, Browser] = yield* Effect.promise(() =>
      Promise.all([import("@mcp-lifeline/sign-in/SignIn"), import("@mcp-lifeline/sign-in/Browser")])
    )
    const { callbackPort, id, issuer, keyAlgorithm = "ES256", keyFile, metadataUrl, method, scope, secret } = client
    const key = keyFile === undefined ? undefined : yield* textOf("--client-key-file", keyFile, cwd)
    const expand = (text: string | undefined, option: string) =>
      Effect.try({
        try: () => text === undefined ? undefined : expanded(text, option, variables),
        catch: (cause) => cause as UsageError
      })
    const shared = yield* expand(secret, "--client-secret")
    if (method === "credentials" && (id === undefined || (shared === undefined && key === undefined))) {
      const message = "--client-credentials needs --client-id, and --client-secret or --client-key-file"
      return yield* Effect.fail(new UsageError({ message }))
    }
    return yield* SignIn.make({
      url,
      account,
      method,
      scope,
      client: {
        id: yield* expand(id, "--client-id"),
        issuer,
        secret: shared === undefined ? undefined : Redacted.make(shared),
        signingKey: key === undefined ? undefined : { key: Redacted.make(key), algorithm: keyAlgorithm },
        document: metadataUrl
      },
      redirect: { port: callbackPort },
      browser: Browser.choose(browser, false, variables),
      issuerOption,
      isAutomatic
    })
  })

const stdioConnector = (
  { args, command, maxMemory }: Command,
  { protocol, secrets }: Wrap,
  { cwd, env, inheritEnv, stderr }: Surroundings
): Connector =>
  StdioConnector.make({
    command,
    args,
    env: { ...env, ...secretsOf(secrets, cwd) },
    cwd,
    ...graces,
    maxMessageBytes,
    ...(maxMemory === undefined ? {} : { maxMemory: maxMemory as ByteSize }),
    inheritEnv,
    stderr,
    ...(protocol === undefined ? {} : { protocol: protocol as "2025" | "2026" })
  }, processRecords())

/** Also of the variables in the command line. */
export const secretsIn = ({ server }: Pick<Wrap, "server">, env = process.env): Secrets.Secrets => {
  const given = server._tag === "Address" ? [server.url, ...server.headers] : [server.command, ...server.args]
  const variables = Array.from(given.join("\n").matchAll(/\$\{(\w+)\}/g), ([, name = ""]) => [name, env[name] ?? ""])
  return Secrets.collect(Object.fromEntries(variables), given, env)
}

export const makeIn = (
  wrap: Wrap,
  surroundings: Surroundings
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> => {
  const { server } = wrap
  return server._tag === "Address" ? overHttp(server, wrap, surroundings) : Effect.try({
    try: () => ({ connector: stdioConnector(server, wrap, surroundings), signIn: undefined }),
    catch: (cause) => new UsageError({ message: (cause as Error).message })
  })
}

export const make = (wrap: Wrap, stderr: (line: string) => void) =>
  makeIn(wrap, { variables: process.env, env: {}, inheritEnv: true, cwd: undefined, stderr })

/** The reader is loaded only if there are options. */
export const readPolicy = (
  { hide, only, options }: Wrap,
  connector: Connector
): Effect.Effect<ServerOptions.ServerOptions, UsageError> =>
  options.length === 0 && hide.length === 0 && only.length === 0
    ? Effect.succeed({})
    : Effect.flatMap(
      Effect.promise(() => import("./Supervision.js")),
      ({ filtered, read }) => Effect.map(read(options, connector), (policy) => filtered(policy, hide, only))
    )

export const nameOf = ({ name, server }: Wrap): string =>
  name ?? (server._tag === "Address" ? ServerName.ofUrl(server.url) : ServerName.ofCommand(server.command, server.args))
