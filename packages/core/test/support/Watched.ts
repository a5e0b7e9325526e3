import type { Backend, Connector, Event, StateName } from "@mcp-lifeline/core"
import { type Cause, Effect, Exit, Fiber, type Scope, TestClock } from "effect"
import { startBackend } from "../../src/backend/start.js"

export interface Watched {
  readonly backend: Backend.Backend
  readonly events: ReadonlyArray<Event.Event>
  readonly states: () => ReadonlyArray<StateName>
  readonly installed: () => ReadonlyArray<number>
  readonly closes: () => ReadonlyArray<readonly [number, "closed" | "failed" | "abandoned"]>
}

/** Makes one, called `one`, that sends no heartbeats unless told to. At the end of its scope time passes, so that it can close. */
export const watched = (
  connector: Connector,
  options: Omit<Backend.BackendOptions, "connector"> = {}
): Effect.Effect<Watched, never, Scope.Scope> =>
  Effect.gen(function*() {
    const events: Array<Event.Event> = []
    const observer = { changed: () => {}, catalogChanged: () => {}, event: (event: Event.Event) => events.push(event) }
    let ticking: Fiber.RuntimeFiber<never> | undefined
    yield* Effect.addFinalizer(() => ticking === undefined ? Effect.void : Fiber.interrupt(ticking))
    const backend = yield* Effect.orDie(
      startBackend("one", { connector, keepalive: { method: "none" }, ...options }, { observer })
    )
    yield* Effect.addFinalizer(() =>
      Effect.map(
        Effect.forkDaemon(Effect.interruptible(Effect.forever(TestClock.adjust("10 seconds")))),
        (fiber) => {
          ticking = fiber
        }
      )
    )
    return {
      backend,
      events,
      states: () => events.flatMap((event) => event._tag === "StateChanged" ? [event.to] : []),
      installed: () => events.flatMap((event) => event._tag === "Installed" ? [event.generation] : []),
      closes: () =>
        events.flatMap((event) => event._tag === "RuntimeClosed" ? [[event.generation, event.outcome] as const] : [])
    }
  })

/** Lets everything happen that needs no time. */
export const runUntilIdle: Effect.Effect<void> = TestClock.adjust(0)

export const failure = <E>(exit: Exit.Exit<unknown, E>): E =>
  Exit.match(exit, {
    onSuccess: () => {
      throw new Error("it succeeded")
    },
    onFailure: (cause: Cause.Cause<E>) => {
      if (cause._tag === "Fail") return cause.error
      throw new Error(`no failure: ${cause._tag}`)
    }
  })
