/**
 * The sign-in to one server (the option `signIn`). What it takes is loaded when the first request asks for a token.
 */
import type { Backend } from "@mcp-lifeline/core"
import { TimeSpan } from "@mcp-lifeline/core/internal"
import type { SignIn } from "@mcp-lifeline/sign-in"
import type { Authorization } from "@mcp-lifeline/transport-http"
import { Clock, Effect, Scope, Stream } from "effect"
import type { SignInOptions } from "../SignInOptions.js"
import * as Run from "./Run.js"

/** How long `connect` waits for a person if the options do not say: as long as the address of a login is good. */
const usualWait = "10 minutes"

/** Whose sign-in it is. */
export interface Owner {
  /** The sign-in ends with it. */
  readonly scope: Scope.Scope
  /** The backend that connects as soon as somebody has logged in; `undefined` as long as there is none. */
  readonly backend: Effect.Effect<Backend.Backend | undefined>
}

const reconnect = ({ backend }: Owner): Effect.Effect<void> =>
  Effect.gen(function*() {
    const one = yield* backend
    if (one !== undefined && !(yield* one.isConnected)) yield* Effect.ignore(one.reconnect)
  })

/** A sign-in that begins with the first request of its server. */
export class LazySignIn {
  /** For the connector, which may use it as soon as there is an owner. */
  readonly authorization: Authorization
  readonly #url: string
  readonly #options: SignInOptions
  #signIn: Effect.Effect<SignIn.SignIn> = Effect.dieMessage("a sign-in without an owner")
  #reconnect: Effect.Effect<void> = Effect.void
  #loaded: SignIn.SignIn | undefined

  constructor(url: string, options: SignInOptions) {
    this.#url = url
    this.#options = options
    this.authorization = {
      tokens: (fetch) => Effect.flatMap(this.#signIn, ({ authorization }) => authorization.tokens(fetch)),
      renew: (refusal, fetch) =>
        Effect.flatMap(this.#signIn, ({ authorization }) => authorization.renew(refusal, fetch)),
      isChosen: (address) => this.#loaded?.authorization.isChosen?.(address) === true,
      isRunning: () => this.#loaded?.authorization.isRunning() === true
    }
  }

  /** Lets it belong to somebody, before the first connection. */
  own(owner: Owner): void {
    this.#reconnect = reconnect(owner)
    const load = Effect.gen(this, function*() {
      const StoredSignIn = yield* Effect.promise(() => import("./StoredSignIn.js"))
      const signIn = yield* Scope.extend(StoredSignIn.make(this.#url, this.#options, this.#reconnect), owner.scope)
      this.#loaded = signIn
      return signIn
    })
    // Who asks first may be interrupted, and the others have the same.
    this.#signIn = Run.now(Effect.cached(Effect.uninterruptible(load)))
  }

  /** Runs the first wait for a connection, and runs it again as long as that ends because somebody has to log in, who still may. */
  patiently<A>(first: Effect.Effect<A>, isLoginNeeded: () => boolean): Effect.Effect<A> {
    return Effect.gen(this, function*() {
      const until = (yield* Clock.currentTimeMillis) + TimeSpan.millis(this.#options.wait ?? usualWait)
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
