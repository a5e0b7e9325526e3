/**
 * Decides of what the listener of a gateway is told, and remembers it in the state folder, so that neither restarts nor the replicas of a
 * cluster repeat it.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Duration, Effect, Option, Queue, Schema, type Scope } from "effect"
import { clean } from "../Text.js"
import { type ServerEvent, tell } from "./tell.js"

/** What a listener has been told of a server; times are milliseconds since 1970. */
const Told = Schema.Struct({
  /** That a login is needed. Forgotten when somebody has signed in. */
  signIn: Schema.optional(Schema.Number),
  /** That it has failed for good. Forgotten when it is connected. */
  failed: Schema.optional(Schema.Number)
})
type Told = typeof Told.Type

/** Something that happens to a server. */
type Change =
  | { readonly _tag: "LoginNeeded"; readonly server: string; readonly message: string; readonly address: string }
  | { readonly _tag: "SignedIn"; readonly server: string }
  | { readonly _tag: "Failed"; readonly server: string; readonly message: () => string }
  | { readonly _tag: "Connected"; readonly server: string }

/** How long a login that is still needed is not told again. */
const day = Duration.toMillis("1 day")
const bounds = { maxFiles: 1000, maxUnused: 30 * day }
/** How many changes wait to be looked at, how many events are told at once, and how many may wait for that. */
const limits = { changes: 1000, atOnce: 4, waiting: 100 }

/** Gets what happens to servers. Nothing here waits or fails. */
export interface Events {
  /** How far the sign-in to a server is. */
  readonly signIn: (server: string, state: SignInState.State) => void
  /** The state of a server has changed. `message` says why it failed; it is asked for later. */
  readonly state: (server: string, state: string, message: () => string) => void
}

/** What is remembered after a change, and whether to tell of it. */
const next = (told: Told, change: Change, now: number): readonly [Told, boolean] => {
  const { failed, signIn } = told
  switch (change._tag) {
    case "LoginNeeded":
      return signIn !== undefined && now - signIn < day ? [told, false] : [{ ...told, signIn: now }, true]
    case "Failed":
      return failed !== undefined ? [told, false] : [{ ...told, failed: now }, true]
    case "SignedIn":
      return signIn === undefined ? [told, false] : [failed === undefined ? {} : { failed }, false]
    case "Connected":
      return failed === undefined ? [told, false] : [signIn === undefined ? {} : { signIn }, false]
  }
}

export interface Options {
  /** Whom to tell; `undefined` for nobody. */
  readonly listener: () => McpConfig.Listener | undefined
  readonly gateway: ServerEvent["gateway"]
  /** The folder in which commands run. */
  readonly cwd: string
}

/** Makes what tells the listener, until the scope closes. A listener that is running then is ended. */
export const make = (
  { cwd, gateway, listener }: Options
): Effect.Effect<Events, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const state = yield* StateFolder.StateFolder
    const collection = state.collection("told", Told, bounds)
    const changes = yield* Queue.dropping<Change>(limits.changes)
    const permits = yield* Effect.makeSemaphore(limits.atOnce)
    let waiting = 0
    let isFailing = false

    const decide = (change: Change, now: number) =>
      Effect.scoped(Effect.gen(function*() {
        const key = StateFolder.key(gateway.config ?? "", change.server)
        yield* state.lock(`told-${key}`)
        const before = Option.getOrElse(yield* collection.get(key), (): Told => ({}))
        const [after, isNew] = next(before, change, now)
        if (after !== before) yield* collection.set(key, after)
        return isNew
      }))

    const eventOf = (change: Change, now: number): ServerEvent | undefined => {
      const common = { server: change.server, at: new Date(now).toISOString() }
      switch (change._tag) {
        case "LoginNeeded": {
          const { address, message } = change
          return { event: "SignInNeeded", ...common, message: clean(message), address, gateway }
        }
        case "Failed":
          return { event: "PermanentlyFailed", ...common, message: clean(change.message()), gateway }
        default:
          return undefined
      }
    }

    const failed = (why: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isFailing) return Effect.void
        isFailing = true
        return Effect.logWarning(`onEvent: ${why} (this is logged once, until an event has been told again)`)
      })

    const deliver = (to: McpConfig.Listener, event: ServerEvent) =>
      permits.withPermits(1)(tell(to, event, cwd)).pipe(
        Effect.matchEffect({
          onFailure: failed,
          onSuccess: () =>
            Effect.sync(() => {
              isFailing = false
            })
        }),
        Effect.ensuring(Effect.sync(() => waiting -= 1)),
        Effect.interruptible,
        Effect.forkScoped
      )

    const handle = (change: Change) =>
      Effect.gen(function*() {
        const to = listener()
        if (to === undefined) return
        const now = yield* Clock.currentTimeMillis
        if (!(yield* decide(change, now))) return
        const event = eventOf(change, now)
        if (event === undefined) return
        if (waiting >= limits.waiting) return yield* failed(`${limits.waiting} events wait, so more are not told`)
        waiting += 1
        yield* deliver(to, event)
      }).pipe(
        Effect.catchAllCause((cause) => Effect.logError("an event could not be told; the gateway goes on", cause))
      )

    yield* Effect.forever(Effect.flatMap(Queue.take(changes), handle)).pipe(Effect.interruptible, Effect.forkScoped)
    const offer = (change: Change): void => void changes.unsafeOffer(change)
    return {
      signIn: (server, state) => {
        if (state._tag === "LoginNeeded") {
          offer({ _tag: "LoginNeeded", server, message: SignInState.show(state), address: state.address })
        } else if (state._tag === "SignedIn") offer({ _tag: "SignedIn", server })
      },
      state: (server, state, message) => {
        if (state === "PermanentlyFailed") offer({ _tag: "Failed", server, message })
        else if (state === "Connected") offer({ _tag: "Connected", server })
      }
    }
  })
