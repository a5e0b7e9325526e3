import { type Cause, Effect, Either, FiberSet, Schedule, type Scope, Struct } from "effect"
import type { InvalidOptions } from "../Errors.js"
import * as Machine from "../health/Machine.js"
import * as Probes from "../health/Probes.js"
import { intervalOf } from "../health/schedule.js"
import * as SafeLog from "../internal/SafeLog.js"
import { formatMillis } from "../internal/Time.js"
import type { BackendObserver } from "../observe/Event.js"
import * as Telemetry from "../observe/Telemetry.js"
import type { BackendOptions, TemperamentMemory } from "../options/BackendOptions.js"
import * as Check from "../options/Check.js"
import { type Policy, type PolicyOptions, resolve } from "../options/Policy.js"
import * as Problem from "../options/Problem.js"
import type { Connector } from "../port/Connector.js"
import { Temperament } from "../runtime/Temperament.js"
import { BackendState } from "../state/BackendState.js"
import { methodOf } from "../state/Keepalive.js"
import { Offered } from "../state/Offered.js"
import { type ConnectPermits, unbounded } from "../supervisor/ConnectPermits.js"
import { Supervisor } from "../supervisor/Supervisor.js"
import { BackendHandle } from "./BackendHandle.js"
import * as Extensions from "./Extensions.js"

export interface FleetContext {
  readonly policy?: Policy | undefined
  readonly permits?: ConnectPermits | undefined
  /** Milliseconds on the Clock's scale. */
  readonly fleetStartedAt?: number | undefined
  /** A backend on its own has its own. */
  readonly machine?: Machine.Machine | undefined
  readonly observer?: BackendObserver | undefined
}

export const startBackend = (
  id: string,
  options: BackendOptions,
  fleet: FleetContext
): Effect.Effect<BackendHandle, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = fleet.policy ?? (yield* resolvePolicy(id, options))
    const { fleetStartedAt } = fleet
    const { catalogMemory: memory, temperamentMemory } = options
    const offered = new Offered()
    let begun: BackendState | undefined
    const changed = () => begun?.extensionsChanged()
    const extensions = yield* Extensions.install(options.extensions, { backend: id, policy, changed }, offered)
    const clock = yield* Effect.clock
    const temperament = temperamentMemory && (yield* remembered(temperamentMemory))
    const state = begun = new BackendState(id, policy, clock, {
      extensionStatus: extensions.status,
      fleetStartedAt,
      memory,
      observer: fleet.observer,
      offered,
      temperament
    })
    const telemetry = yield* Telemetry.Current
    if (telemetry !== undefined) measure(state, options.connector, telemetry)
    const { interval } = policy.keepalive
    const used = intervalOf(policy, 0)
    if (used < interval && methodOf(policy) !== "none") {
      const [half, asked] = [used, interval].map(formatMillis)
      yield* SafeLog.info(`${id}: keepalive.interval is ${half}, half of keepalive.idleTtl, in place of ${asked}`)
    }
    const offers = extensions === Extensions.none ? undefined : offered
    const connector = extensions.around(options.connector)
    const { permits = unbounded } = fleet
    const layers = options.runtime === undefined ? extensions.layers : [options.runtime, ...extensions.layers]
    const supervisor = new Supervisor(state, { ...options, connector }, offers, permits, layers)
    const { snapshot } = state.published.value
    if (snapshot !== undefined) state.observer?.catalogChanged(snapshot)
    // Registered before the supervisor's finalizer, so it runs after it.
    yield* Effect.addFinalizer(() => Effect.sync(() => state.end()))
    yield* supervisor.start
    yield* Probes.join(supervisor.tasks.liveness, fleet.machine ?? (yield* Machine.make), options.connector)
    return new BackendHandle({ state, supervisor, connector: options.connector, extensions })
  }).pipe(Effect.annotateLogs({ backend: id }))

/** Before anything happens to the backend. What telemetry throws stops neither it nor a call. */
export const measure = (state: BackendState, { transport }: Connector, telemetry: Telemetry.Telemetry): void => {
  const { published, clock, id } = state
  const safely: Safely = (run) => state.safely("telemetry", run)
  safely(() => {
    const observer = telemetry.observe({
      id,
      transport,
      state: published.value.state._tag,
      clock,
      connection: () => published.value.current?.connection
    })
    state.telemetry = guarded(observer, safely)
    state.events.listen(state.telemetry.event)
  })
}

type Safely = <A>(run: () => A) => A | undefined

const guarded = (observer: Telemetry.Observer, safely: Safely): Telemetry.Observer => ({
  hasSpans: observer.hasSpans,
  event: (event) => safely(() => observer.event(event)),
  beat: (sent, failure, millis) => safely(() => observer.beat(sent, failure, millis)),
  breakerOpened: (method, reason) => safely(() => observer.breakerOpened(method, reason)),
  health: observer.health && ((score) => safely(() => observer.health?.(score))),
  usage: observer.usage && ((generation, usage) => safely(() => observer.usage?.(generation, usage))),
  call: (method, params, parent) => {
    const call = safely(() => observer.call(method, params, parent))
    return call === undefined ? unmeasured : {
      attempt: (on) =>
        safely<ReturnType<typeof call.attempt>>(() => {
          const attempt = call.attempt(on)
          if (attempt === undefined) return undefined
          const { params, span } = attempt
          return { params, span, end: (exit) => safely(() => attempt.end(exit)) }
        }),
      end: (exit) => safely(() => call.end(exit))
    }
  }
})

const unmeasured: Telemetry.CallObserver<never> = { attempt: () => undefined, end: () => {} }

const remembered = (memory: TemperamentMemory): Effect.Effect<Temperament, never, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntime<never>()
    const failed = (cause: Cause.Cause<never>) =>
      Effect.as(SafeLog.error("the memory of what the server has shown failed", cause), undefined)
    const before = yield* Effect.catchAllCause(memory.remembered ?? Effect.succeed(undefined), failed)
    return new Temperament(before, (shown) => {
      run(Effect.catchAllCause(Effect.suspend(() => memory.keep(shown)), failed))
    })
  })

const isSchedule = Check.is(Schedule.isSchedule, "a Schedule")

/** The decoder gets every other option, and refuses unknown ones. */
const others = [
  ...["capabilities", "catalogMemory", "clientInfo", "connector", "extensions"],
  ...["handlers", "onConnected", "runtime", "temperamentMemory"]
] as const

export const resolvePolicy = <R>(
  id: string,
  given: BackendOptions<R>,
  defaults?: PolicyOptions
): Either.Either<Policy, InvalidOptions> => {
  const { connector, extensions } = given
  const options = Struct.omit(given, ...others)
  const { schedule, ...keepalive } = options.keepalive ?? {}
  const policy = resolve(id, connector, schedule === undefined ? options : { ...options, keepalive }, defaults)
  const found = [
    ...(extensions === undefined ? [] : Extensions.check(extensions, ["extensions"])),
    ...(schedule === undefined ? [] : isSchedule(schedule, ["keepalive", "schedule"]))
  ]
  const refused = Either.isLeft(policy) ? [policy.left] : []
  const error = Problem.join(Problem.some(found) ? [Problem.refuse(id, found), ...refused] : refused)
  return error === undefined ? policy : Either.left(error)
}
