import { Redacted } from "effect"
import { resolve } from "node:path"
import * as Command from "../commandLine/Command.js"
import { client } from "../sign-in/options.js"
import type * as Auth from "./auth.js"
import type * as Login from "./login.js"
import type * as Logout from "./logout.js"

export type Request =
  | { readonly _tag: "Login"; readonly options: Login.Options }
  | { readonly _tag: "Logout"; readonly options: Logout.Options }
  | { readonly _tag: "Auth"; readonly options: Auth.Options }

const place = ["URL|NAME", "The address of the server, or its name in the file that --config gives."] as const

const config = Command.text("FILE", "The mcp.json in which the server has that name.")

const login = Command.make({
  name: "login",
  summary: "Sign in to a server that asks for OAuth.",
  details:
    "The tokens are stored in the state folder for all commands; `wrap` and `serve` use them at once, even if they already "
    + "run. On a terminal, or with --browser, this opens a browser.",
  arguments: { target: Command.required(...place) },
  options: {
    config,
    ...client,
    clientSecret: {
      ...Command.value("SECRET", "Its secret. Prefer MCP_LIFELINE_CLIENT_SECRET.", (text) => Redacted.make(text)),
      variable: "MCP_LIFELINE_CLIENT_SECRET"
    },
    browser: Command.flag("Open a browser even if this is not a terminal. Never if CI is set."),
    noBrowser: Command.flag("Open no browser; only print the address.")
  },
  exitCodes: {
    0: "Signed in, or no login is needed.",
    1: "Not signed in, or another login is stored.",
    130: "Interrupted."
  },
  request: (parsed, line): Request => {
    const { account, browser, callbackPort, clientKeyFile, config, noBrowser, scope, target } = parsed
    if (browser && noBrowser) line.refuse("--browser cannot be combined with --no-browser; keep one")
    return {
      _tag: "Login",
      options: {
        target,
        config,
        account,
        method: parsed.clientCredentials ? "credentials" : "browser",
        browser: browser ? true : noBrowser ? false : undefined,
        client: {
          id: parsed.clientId,
          issuer: parsed.clientIssuer,
          secret: parsed.clientSecret,
          signingKey: clientKeyFile === undefined
            ? undefined
            : { file: resolve(clientKeyFile), algorithm: parsed.clientKeyAlgorithm ?? "ES256" },
          document: parsed.clientMetadataUrl
        },
        scope,
        callbackPort
      }
    }
  }
})

const logout = Command.make({
  name: "logout",
  summary: "Delete the stored login at a server, and revoke its tokens if the authorization server supports this.",
  arguments: { target: Command.optional(...place) },
  options: {
    config,
    account: Command.text("NAME", "Delete only this login at the server."),
    client: Command.text(
      "NAME",
      "Delete only the login of this client of a gateway: its name in `lifeline.clients`, or the issuer and the subject of its token."
    ),
    all: Command.flag("Delete all stored logins.")
  },
  exitCodes: { 0: "Done.", 1: "Failed." },
  request: ({ all, ...options }, { refuse }): Request => {
    if (all && options.target !== undefined) refuse("--all cannot be combined with a server; keep one")
    if (!all && options.target === undefined) refuse("logout needs a server, or --all")
    return { _tag: "Logout", options }
  }
})

const auth = Command.make({
  name: "auth",
  summary: "Show the stored logins and when they expire. Shows no secrets.",
  arguments: {},
  options: { json: Command.flag("Print JSON.") },
  exitCodes: { 0: "Done.", 1: "Failed." },
  request: (options): Request => ({ _tag: "Auth", options })
})

export const commands = [login, logout, auth]
