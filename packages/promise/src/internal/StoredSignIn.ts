/** Loaded only by programs that sign in. */
import { Browser, SignIn, State } from "@mcp-lifeline/sign-in"
import { StateFolder } from "@mcp-lifeline/state"
import type { Scope } from "effect"
import { Effect, Redacted, Stream } from "effect"
import type { SignInClient, SignInOptions } from "../SignInOptions.js"

type Configured = NonNullable<SignIn.Options["client"]>

const clientOf = ({ document, id, issuer, key, secret }: SignInClient): Configured => ({
  document,
  id,
  issuer,
  secret: secret === undefined ? undefined : Redacted.make(secret),
  signingKey: key === undefined ? undefined : "file" in key ? key : { ...key, key: Redacted.make(key.key) }
})

const show = (signIn: SignIn.SignIn, onLogin: SignInOptions["onLogin"]) =>
  signIn.changes.pipe(
    Stream.changesWith((before, after) =>
      before._tag === "LoginNeeded" && after._tag === "LoginNeeded" && before.address === after.address
    ),
    Stream.runForEach((state) => {
      if (state._tag !== "LoginNeeded") return Effect.void
      const { address, until } = state
      return Effect.logWarning(State.show(state)).pipe(
        Effect.zipRight(Effect.try(() => onLogin?.({ server: signIn.server, address, until }))),
        Effect.catchAll(({ error }) => Effect.logError("onLogin threw", error))
      )
    })
  )

/** Ends with the scope. Runs `done` after each login. */
export const make = (
  url: string,
  { account, browser = true, client, folder, method, onLogin, redirect, scope }: SignInOptions,
  isAutomatic: boolean,
  done: Effect.Effect<void>
): Effect.Effect<SignIn.SignIn, never, Scope.Scope> =>
  Effect.gen(function*() {
    const signIn = yield* SignIn.make({
      url,
      account,
      browser: Browser.choose(browser, false, process.env),
      client: client && clientOf(client),
      method,
      redirect,
      scope,
      isAutomatic
    }).pipe(Effect.provide(folder === undefined ? StateFolder.layer : StateFolder.layerAt(folder)))
    yield* Effect.forkScoped(Effect.interruptible(show(signIn, onLogin)))
    yield* SignIn.whenDone(signIn, done)
    return signIn
  })
