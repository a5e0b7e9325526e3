/** The code of the sign-in (option `signIn`) is loaded when the first request asks for a token. */
import type { Backend } from "@mcp-lifeline/core"
import { TimeSpan } from "@mcp-lifeline/core/options"
import type { SignIn } from "@mcp-lifeline/sign-in"
import type { Authorization } from "@mcp-lifeline/transport-http"
import { Clock, Effect, Scope, Stream } from "effect"
import type { SignInOptions } from "../SignInOptions.js"
import * as Runner from "./Runner.js"

/** As long as the address of a login is valid. */
const defaultWait = "10 minutes"

/** A client, or a server of a fleet. */
export interface Owner {
  /** Closing it ends the sign-in. */
  readonly scope: Scope.Scope
  /** To connect after a login. */
  readonly backend: Effect.Effect<Backend.Backend | undefined>
}

const reconnect = ({ backend }: Owner): Effect.Effect<void> =>
  Effect.gen(function*() {
    const one = yield* backend
    if (one !== undefined && !(yield* one.isConnected)) yield* Effect.ignore(one.reconnect)
  })

export class LazySignIn {
  /** For use after `own`. */
  readonly authorization: Authorization
  readonly #url: string
  readonly #options: SignInOptions
  readonly #isAutomatic: boolean
  #signIn: Effect.Effect<SignIn.SignIn> = Effect.dieMessage("a sign-in without an owner")
  #reconnect: Effect.Effect<void> = Effect.void
  #loaded: SignIn.SignIn | undefined

  /** `isAutomatic`: whether it begins a login by itself. */
  constructor(url: string, options: SignInOptions, isAutomatic: boolean) {
    this.#url = url
    this.#isAutomatic = isAutomatic
    this.#options = options
    this.authorization = {
      tokens: (fetch) => Effect.flatMap(this.#signIn, ({ authorization }) => authorization.tokens(fetch)),
      renew: (refusal, fetch) =>
        Effect.flatMap(this.#signIn, ({ authorization }) => authorization.renew(refusal, fetch)),
      accepted: () => this.#loaded?.authorization.accepted?.(),
      isChosen: (address) => this.#loaded?.authorization.isChosen?.(address) === true,
      needed: () => this.#loaded?.authorization.needed?.(),
      isRunning: () => this.#loaded?.authorization.isRunning() === true
    }
  }

  /** Call it before the first connection. */
  own(owner: Owner): void {
    this.#reconnect = reconnect(owner)
    const load = Effect.gen(this, function*() {
      const StoredSignIn = yield* Effect.promise(() => import("./StoredSignIn.js"))
      const signIn = yield* Scope.extend(
        StoredSignIn.make(this.#url, this.#options, this.#isAutomatic, this.#reconnect),
        owner.scope
      )
      this.#loaded = signIn
      return signIn
    })
    // All requests share this: interrupting the first one must not end it.
    this.#signIn = Runner.runSync(Effect.cached(Effect.uninterruptible(load)))
  }

  /** If `first` ends because a person has to log in, waits for the login, reconnects, and runs it again, until `signIn.wait` is over. */
  retryAfterLogin<A>(first: Effect.Effect<A>, isLoginNeeded: () => boolean): Effect.Effect<A> {
    return Effect.gen(this, function*() {
      const until = (yield* Clock.currentTimeMillis) + TimeSpan.millis(this.#options.wait ?? defaultWait)
      for (;;) {
        const outcome = yield* first
        const left = until - (yield* Clock.currentTimeMillis)
        if (!isLoginNeeded() || left <= 0) return outcome
        const { changes } = yield* this.#signIn
        const over = Stream.runHead(Stream.filter(changes, ({ _tag }) => _tag !== "LoginNeeded"))
        if ((yield* Effect.timeoutOption(over, left))._tag === "None") return outcome
        yield* this.#reconnect
      }
    })
  }
}
