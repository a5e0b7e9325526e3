/**
 * `login`, `logout` and `auth` on the command line: what was asked for, as data.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { isAddress } from "@mcp-lifeline/sign-in/addresses"
import { Config, Effect, Option, Redacted, Schema } from "effect"
import { resolve } from "node:path"
import { UsageError } from "../../Errors.js"
import type * as Auth from "./auth.js"
import type * as Login from "./login.js"
import type * as Logout from "./logout.js"

/** What was asked for. */
export type Request =
  | { readonly _tag: "Login"; readonly options: Login.Options }
  | { readonly _tag: "Logout"; readonly options: Logout.Options }
  | { readonly _tag: "Auth"; readonly options: Auth.Options }

const server = Args.text({ name: "URL|NAME" }).pipe(
  Args.withDescription("The address of the server, or its name in the file that --config gives.")
)

const text = (name: string, placeholder: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(placeholder), Options.withDescription(description), Options.optional)

const flag = (name: string, description: string) => Options.boolean(name).pipe(Options.withDescription(description))

const config = text("config", "file", "The mcp.json in which the server has that name.")

const port = Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 65_535)).annotations({
  message: () => ({ message: "--callback-port must be a whole number from 1 to 65535", override: true })
})

const issuer = Schema.String.pipe(Schema.filter(isAddress)).annotations({
  message: () => ({ message: "--client-issuer must be an address that begins with https://", override: true })
})

const loginOptions = {
  config,
  account: text("account", "name", "Keeps several logins at one server separate."),
  browser: flag("browser", "Open a browser even if this is not a terminal. Never if CI is set."),
  noBrowser: flag("no-browser", "Open no browser; only print the address."),
  device: flag("device", "Log in with a code on any device, if the server supports this."),
  machine: flag("client-credentials", "Log in without a person, with --client-id and its secret or private key."),
  clientId: text("client-id", "id", "A client that you have registered beforehand."),
  clientIssuer: Options.text("client-issuer").pipe(
    Options.withPseudoName("url"),
    Options.withDescription(
      "The authorization server at which it is registered, and the only one to log in at. Needed with a secret or a key."
    ),
    Options.withSchema(issuer),
    Options.optional
  ),
  clientSecret: Options.redacted("client-secret").pipe(
    Options.withPseudoName("secret"),
    Options.withDescription("Its secret. Prefer MCP_LIFELINE_CLIENT_SECRET."),
    Options.withFallbackConfig(Config.redacted("MCP_LIFELINE_CLIENT_SECRET")),
    Options.optional
  ),
  privateKey: text(
    "client-key-file",
    "file",
    "A private key instead of the secret, in PEM (PKCS #8) or as a JWK. Lifeline reads it from the file when needed."
  ),
  algorithm: Options.text("client-key-algorithm").pipe(
    Options.withPseudoName("name"),
    Options.withDescription("The algorithm of the key, for example ES256 or RS256."),
    Options.withDefault("ES256")
  ),
  document: text("client-metadata-url", "url", "The address of a client id metadata document: https, with a path."),
  scope: text("scope", "scopes", "The scopes to ask for, separated by spaces. Default: those that the server names."),
  callbackPort: Options.text("callback-port").pipe(
    Options.withPseudoName("number"),
    Options.withDescription("The port to which the browser returns. Default: a fixed port for each server."),
    Options.withSchema(port),
    Options.optional
  )
}

const loginHelp =
  "Sign in to a server that asks for OAuth. The tokens are stored in the state folder for all commands; `wrap` and `serve` use them "
  + "at once, even if they already run. On a terminal, or with --browser, this opens a browser. Exit codes: 0 signed in (or no login "
  + "is needed), 1 not signed in, 2 the command line is wrong, 130 interrupted."

const logoutHelp =
  "Delete the stored login at a server, and revoke its tokens if the authorization server supports this."

const authHelp = "Show the stored logins and when they expire. Shows no secrets."

/** The commands; what was asked for is handed to `ask`. */
export const commands = (ask: (request: Request) => Effect.Effect<void, UsageError>) =>
  [
    Command.make("login", { server, ...loginOptions }, (given) =>
      given.browser && given.noBrowser
        ? new UsageError({
          message: "--browser cannot be combined with --no-browser; keep one; see mcp-lifeline --help"
        })
        : given.device && given.machine
        ? new UsageError({
          message: "--device cannot be combined with --client-credentials; keep one; see mcp-lifeline --help"
        })
        : ask({
          _tag: "Login",
          options: {
            target: given.server,
            config: Option.getOrUndefined(given.config),
            account: Option.getOrUndefined(given.account),
            method: given.device ? "device" : given.machine ? "credentials" : "browser",
            browser: given.browser ? true : given.noBrowser ? false : undefined,
            client: {
              id: Option.getOrUndefined(given.clientId),
              issuer: Option.getOrUndefined(given.clientIssuer),
              secret: Option.getOrUndefined(
                Option.filter(given.clientSecret, (secret) => Redacted.value(secret) !== "")
              ),
              signingKey: Option.getOrUndefined(
                Option.map(given.privateKey, (file) => ({ file: resolve(file), algorithm: given.algorithm }))
              ),
              document: Option.getOrUndefined(given.document)
            },
            scope: Option.getOrUndefined(given.scope),
            callbackPort: Option.getOrUndefined(given.callbackPort)
          }
        })).pipe(Command.withDescription(loginHelp)),
    Command.make(
      "logout",
      {
        server: Args.optional(server),
        config,
        account: text("account", "name", "Delete only this login at the server."),
        all: flag("all", "Delete all stored logins.")
      },
      ({ account, all, config, server }) =>
        all === Option.isSome(server)
          ? new UsageError({
            message: all
              ? "--all cannot be combined with a server; keep one; see mcp-lifeline --help"
              : "logout needs a server, or --all; see mcp-lifeline --help"
          })
          : ask({
            _tag: "Logout",
            options: {
              target: Option.getOrUndefined(server),
              config: Option.getOrUndefined(config),
              account: Option.getOrUndefined(account)
            }
          })
    ).pipe(Command.withDescription(logoutHelp)),
    Command.make("auth", { json: flag("json", "Print JSON.") }, (options) => ask({ _tag: "Auth", options })).pipe(
      Command.withDescription(authHelp)
    )
  ] as const
