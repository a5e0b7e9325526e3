import type * as Facade from "@mcp-lifeline/client"
import { outer } from "@mcp-lifeline/client/within"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, type Scope } from "effect"
import { attempt, type InvalidOptions } from "./Errors.js"
import * as OuterClock from "./OuterClock.js"
import * as Session from "./Session.js"
import * as Telemetry from "./Telemetry.js"

/** A failure is answered as an error. */
type Answer<H extends keyof Facade.ServerRequestHandlers, R> = Effect.Effect<
  Awaited<ReturnType<NonNullable<Facade.ServerRequestHandlers[H]>>>,
  unknown,
  R
>

/** Each handler declares its capability. It is interrupted if the server cancels its request, or the connection ends. */
export interface Handlers<R = never> {
  /** A completion of the model. Declares `sampling`. */
  readonly sampling?: ((params: Mcp.CreateMessageRequest["params"]) => Answer<"sampling", R>) | undefined
  /** Asks the user with a form. Declares `elicitation`. */
  readonly elicitation?: ((params: Mcp.ElicitRequest["params"]) => Answer<"elicitation", R>) | undefined
  /** The folders in which the server may work. Declares `roots`. */
  readonly roots?: Answer<"roots", R> | undefined
}

/** Options besides those of servers. `R`: services of handlers and `onConnected`. */
export interface BackendOptions<R = never> extends Omit<Facade.CommonOptions, "handlers" | "onConnected" | "signal"> {
  /** Default: none. */
  readonly handlers?: Handlers<R> | undefined
  /**
   * Runs on every new session before calls are sent there: to log in, or to set up other state. If it fails, the connection attempt
   * fails, and the next one follows after the backoff.
   */
  readonly onConnected?: ((session: Session.Session) => Effect.Effect<void, unknown, R>) | undefined
}

/** `closed` ends when the fleet has closed. */
interface Lent {
  readonly fleet: Facade.Fleet
  readonly closed: Effect.Effect<void>
}

/**
 * Makes a fleet in the program's time, with its services. Closing the scope, and interrupting this, closes everything and waits for it.
 *
 * @internal
 */
export const lend = <R, O extends BackendOptions<R>>(
  options: O,
  make: (options: Omit<O, "handlers" | "onConnected"> & Facade.FleetOptions) => Promise<Facade.Fleet>
): Effect.Effect<Lent, InvalidOptions, R | Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    const run = Effect.runPromiseWith(context)
    const { handlers, onConnected, ...others } = options
    const { elicitation, roots, sampling } = handlers ?? {}
    const given = {
      ...others,
      handlers: {
        sampling: sampling && ((params, { signal }) => run(sampling(params), { signal })),
        elicitation: elicitation && ((params, { signal }) => run(elicitation(params), { signal })),
        roots: roots && (({ signal }) => run(roots, { signal }))
      },
      onConnected: onConnected &&
        ((session) => run(onConnected(Session.fromFacade(session)), { signal: session.signal })),
      [outer]: { clock: OuterClock.make(context), telemetry: Telemetry.make(context) }
    } satisfies Facade.FleetOptions & { readonly [outer]: unknown }
    const closed = yield* Deferred.make<void>()
    const fleet = yield* Effect.acquireRelease(
      attempt(() => make(given)),
      (fleet) => Effect.andThen(Effect.promise(() => fleet.close()), Deferred.succeed(closed, undefined))
    )
    return { fleet, closed: Deferred.await(closed) }
  }) as Effect.Effect<Lent, InvalidOptions, R | Scope.Scope>
