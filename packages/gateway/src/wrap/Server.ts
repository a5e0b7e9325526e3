/**
 * Makes the connector of the wrapped server, and its sign-in.
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

/** How long a process may take to exit after its stdin was closed, and after SIGTERM. Together this is less than 3 s. */
const graces = { stdinGrace: "1 second", termGrace: "800 millis" } as const

/** The longest message of a server that is passed on, in bytes. The limit for hosts is the same. */
const maxMessageBytes = 64 * 1024 * 1024

/** Replaces the variables of a text. `what` names the text in the error if one is not set. */
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

/** Reads a header line. Messages may show only the name, because the value may be a secret. */
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

/** The connector of a wrapped server, and its sign-in if it can have one. */
export interface Server {
  readonly connector: Connector
  readonly signIn: SignIn.SignIn | undefined
}

const isAuthorization = ([name]: readonly [string, unknown]): boolean => name.toLowerCase() === "authorization"

const overHttp = (
  server: Address,
  protocol: Wrap["protocol"]
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const lines = [...yield* linesOf(server.headerFile), ...server.headers]
    // Loaded only here: `wrap` of a command does not need it.
    const { HttpConnector } = yield* Effect.promise(() => import("@mcp-lifeline/transport-http"))
    const wrong = (cause: unknown): UsageError =>
      cause instanceof UsageError ? cause : new UsageError({ message: (cause as Error).message })
    const headers = yield* Effect.try({ try: () => lines.map((line) => header(line, process.env)), catch: wrong })
    // With credentials of the user, there is no sign-in.
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
    const expand = (text: string | undefined, option: string) =>
      Effect.try({
        try: () => text === undefined ? undefined : expanded(text, option, process.env),
        catch: (cause) => cause as UsageError
      })
    const shared = yield* expand(secret, "--client-secret")
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
        id: yield* expand(id, "--client-id"),
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

const stdioConnector = (
  { args, command }: Command,
  protocol: Wrap["protocol"],
  stderr: (line: string) => void
): Connector =>
  StdioConnector.make({
    command,
    args,
    ...graces,
    maxMessageBytes,
    inheritEnv: true,
    stderr,
    ...(protocol === undefined ? {} : { protocol: protocol as "2025" | "2026" })
  })

/** Makes the connector and the sign-in of a server. `stderr` gets what a process writes there. */
export const make = (
  { protocol, server }: Wrap,
  stderr: (line: string) => void
): Effect.Effect<Server, UsageError, Scope.Scope | StateFolder> =>
  server._tag === "Address" ? overHttp(server, protocol) : Effect.try({
    try: () => ({ connector: stdioConnector(server, protocol, stderr), signIn: undefined }),
    catch: (cause) => new UsageError({ message: (cause as Error).message })
  })

/** The name of the server: given, or made from its URL or command. */
export const nameOf = ({ name, server }: Wrap): string =>
  name ?? (server._tag === "Address" ? ServerName.ofUrl(server.url) : ServerName.ofCommand(server.command, server.args))
