import type { ConnectError, Connector } from "@mcp-lifeline/core"
import * as Browser from "@mcp-lifeline/sign-in/Browser"
import type * as Client from "@mcp-lifeline/sign-in/Client"
import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { State } from "@mcp-lifeline/sign-in/State"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Either, Option, Stream } from "effect"
import { constVoid } from "effect/Function"
import { issuerOption } from "../sign-in/options.js"
import { StartError, UsageError } from "../text/Errors.js"
import type { Output } from "../text/Output.js"
import { clean } from "../text/Text.js"
import { version } from "../text/Version.js"
import * as Target from "./Target.js"

export interface Options {
  /** A URL, or a name in `config`. */
  readonly target: string
  readonly config: string | undefined
  readonly account: string | undefined
  readonly method: Grant.Method
  /** Default: on a terminal. */
  readonly browser: boolean | undefined
  readonly client: Client.Configured
  readonly scope: string | undefined
  readonly callbackPort: number | undefined
}

const connect = (connector: Connector): Effect.Effect<void, ConnectError> =>
  Effect.scoped(
    Effect.asVoid(connector.connect({ clientInfo: { name: "mcp-lifeline", version }, report: constVoid }))
  )

const showLogin = (output: Output, isOpened: boolean) => (state: State): Effect.Effect<void> => {
  if (state._tag !== "LoginNeeded") return Effect.void
  const minutes = Math.max(1, Math.round((state.until - Date.now()) / 60_000))
  return output.line([
    `Open this address to sign in${isOpened ? " (a browser is opened, unless another process has done so)" : ""}:`,
    "",
    `  ${clean(state.address)}`,
    "",
    `Waiting for the login, for ${minutes} min; Ctrl+C ends that`
  ].join("\n"))
}

const otherLogin = ({ account, server }: SignIn.SignIn, { client, issuer, method }: Grant.Grant): string =>
  `${server}: another login is stored: one made ${
    method === "browser" ? "in a browser" : "with client credentials"
  }, by the client ${clean(client.id)} at ${clean(issuer)}; ` +
  `delete it with mcp-lifeline logout ${server}${account === "default" ? "" : ` --account ${account}`} first, ` +
  "or keep both with another --account NAME"

/** Succeeds when the server has accepted the token. Fails where another login is stored than the options ask for. */
export const run = (options: Options, output: Output) =>
  Effect.gen(function*() {
    const target = yield* Target.find(options.target, options.config)
    if (options.method === "credentials" && options.client.id === undefined) {
      return yield* Effect.fail(new UsageError({ message: "--client-credentials needs --client-id" }))
    }
    const browser = Browser.choose(options.browser, process.stdin.isTTY && process.stdout.isTTY, process.env)
    const signIn = yield* SignIn.make({
      url: target.url,
      account: options.account,
      client: options.client,
      scope: options.scope,
      method: options.method,
      redirect: { port: options.callbackPort },
      browser,
      loginWait: 0,
      issuerOption
    })
    yield* signIn.askAgain
    const connector = yield* target.connector(signIn.authorization)
    yield* signIn.changes.pipe(
      Stream.runForEach(showLogin(output, browser !== undefined)),
      Effect.interruptible,
      Effect.forkScoped
    )
    const failed = (error: ConnectError) => new StartError({ message: error.message, cause: error })
    const before = yield* signIn.state
    const first = yield* Effect.either(connect(connector))
    if (Either.isRight(first)) {
      const state = yield* signIn.state
      const stored = yield* Grant.find(Grant.grants(yield* StateFolder), signIn.server, signIn.account)
      if (stored !== undefined && !Grant.isAskedFor(stored, options)) {
        return yield* new StartError({ message: otherLogin(signIn, stored) })
      }
      return yield* output.line(
        state._tag === "SignedIn"
          ? `${before._tag === "SignedIn" ? "Already signed in" : "Signed in"} to ${target.url} (${
            clean(state.issuer)
          })`
          : `${signIn.server} asks for no login`
      )
    }
    if (HttpConnector.loginOf(first.left) === undefined) return yield* failed(first.left)
    const ended = yield* signIn.changes.pipe(
      Stream.filter(({ _tag }) => _tag === "SignedIn" || _tag === "Refused" || _tag === "Later"),
      Stream.runHead
    )
    const state = Option.getOrThrow(ended)
    if (state._tag === "Refused" || state._tag === "Later") {
      return yield* new StartError({ message: `${signIn.server}: ${clean(state.detail)}` })
    }
    yield* Effect.mapError(connect(connector), failed)
    return yield* output.line(`Signed in to ${signIn.server}`)
  }).pipe(Effect.scoped) satisfies Effect.Effect<void, StartError | UsageError, StateFolder>
