/**
 * The server that is wrapped, as a connector.
 */
import { ServerName } from "@mcp-lifeline/config"
import type { Connector } from "@mcp-lifeline/core"
import type * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import type { Scope } from "effect"
import { Effect, Redacted } from "effect"
import { UsageError } from "../Errors.js"
import { optionNames } from "../sign-in/optionNames.js"
import type { Address, Command, Wrap } from "./Arguments.js"

/** What a server that is started may take to end: both together leave time within 3 s. */
const graces = { stdinGrace: "1 second", termGrace: "800 millis" } as const

/** The longest message of a server that is passed on, in bytes: as long as those of a host. */
const maxMessageBytes = 64 * 1024 * 1024

/** A text with its variables replaced. `what` names it where one is not set. */
const expanded = (text: string, what: string, env: NodeJS.ProcessEnv): string => {
  let shown = ""
  let from = 0
  for (let start = text.indexOf("${"); start !== -1; start = text.indexOf("${", from)) {
    const end = text.indexOf("}", start)
    if (end === -1) break
    const variable = text.slice(start + 2, end)
    const found = Object.hasOwn(env, variable) ? env[variable] : undefined
    if (found === undefined) {
      throw new UsageError({ message: `${what} has \${${variable}}, which is not set in the environment` })
    }
    shown += text.slice(from, start) + found
    from = end + 1
  }
  return shown + text.slice(from)
}

/** A line of a header: name and value. Only the name may be shown. */
const header = (line: string, env: NodeJS.ProcessEnv): readonly [string, Redacted.Redacted] => {
  const colon = line.indexOf(":")
  const name = line.slice(0, Math.max(0, colon)).trim()
  if (name === "" || /\s/.test(name)) {
    throw new UsageError({ message: "a header is not written as NAME: VALUE" })
  }
  return [name, Redacted.make(expanded(line.slice(colon + 1).trim(), `the header ${name}`, env))]
}

const textOf = (option: string, file: string): Effect.Effect<string, UsageError> =>
  Effect.mapError(
    UserFile.text(file),
    ({ message }) => new UsageError({ message: `${option} ${file} cannot be read: ${message}` })
  )

const linesOf = (file: string | undefined): Effect.Effect<ReadonlyArray<string>, UsageError> =>
  file === undefined
    ? Effect.succeed([])
    : Effect.map(textOf("--header-file", file), (text) => text.split("\n").filter((line) => line.trim() !== ""))

/** A server that is wrapped: how it is connected, and how it is signed in to, where that may be. */
export interface Server {
  readonly connector: Connector
  readonly signIn: SignIn.SignIn | undefined
}

const isAuthorization = ([name]: readonly [string, unknown]): boolean => name.toLowerCase() === "authorization"

const addressed = (
  server: Address,
  protocol: Wrap["protocol"]
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const lines = [...yield* linesOf(server.headerFile), ...server.headers]
    // Loaded only where it is used: a server that is started needs none of it.
    const { HttpConnector } = yield* Effect.promise(() => import("@mcp-lifeline/transport-http"))
    const wrong = (cause: unknown): UsageError =>
      cause instanceof UsageError ? cause : new UsageError({ message: (cause as Error).message })
    const headers = yield* Effect.try({ try: () => lines.map((line) => header(line, process.env)), catch: wrong })
    // Who brings credentials signs in elsewhere.
    const signIn = headers.some(isAuthorization) ? undefined : yield* signInTo(server)
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

const signInTo = ({ account, browser, client, url }: Address) =>
  Effect.gen(function*() {
    const [SignIn, Browser] = yield* Effect.promise(() =>
      Promise.all([import("@mcp-lifeline/sign-in/SignIn"), import("@mcp-lifeline/sign-in/Browser")])
    )
    const { callbackPort, id, issuer, keyAlgorithm = "ES256", keyFile, metadataUrl, method, scope, secret } = client
    const key = keyFile === undefined ? undefined : yield* textOf("--client-key-file", keyFile)
    const text = (given: string | undefined, option: string) =>
      Effect.try({
        try: () => given === undefined ? undefined : expanded(given, option, process.env),
        catch: (cause) => cause as UsageError
      })
    const shared = yield* text(secret, "--client-secret")
    if (method === "credentials" && (id === undefined || (shared === undefined && key === undefined))) {
      const message = "--client-credentials needs --client-id, and --client-secret or --client-key-file"
      return yield* Effect.fail(new UsageError({ message }))
    }
    const mayOpen = browser && (process.env["CI"] ?? "") === ""
    return yield* SignIn.make({
      url,
      account,
      method,
      scope,
      client: {
        id: yield* text(id, "--client-id"),
        issuer,
        secret: shared === undefined ? undefined : Redacted.make(shared),
        signingKey: key === undefined ? undefined : { key: Redacted.make(key), algorithm: keyAlgorithm },
        document: metadataUrl
      },
      redirect: { port: callbackPort },
      browser: mayOpen ? Browser.system(process.env) : undefined,
      optionNames
    })
  })

const started = ({ args, command }: Command, protocol: Wrap["protocol"], stderr: (line: string) => void): Connector =>
  StdioConnector.make({
    command,
    args,
    ...graces,
    maxMessageBytes,
    inheritEnv: true,
    stderr,
    ...(protocol === undefined ? {} : { protocol: protocol as "2025" | "2026" })
  })

/** What is wrapped. `stderr`: is given what a server writes there. */
export const make = (
  { protocol, server }: Wrap,
  stderr: (line: string) => void
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> =>
  server._tag === "Address" ? addressed(server, protocol) : Effect.try({
    try: () => ({ connector: started(server, protocol, stderr), signIn: undefined }),
    catch: (cause) => new UsageError({ message: (cause as Error).message })
  })

/** What it is called. */
export const nameOf = ({ name, server }: Wrap): string =>
  name ?? (server._tag === "Address" ? ServerName.ofUrl(server.url) : ServerName.ofCommand(server.command, server.args))
