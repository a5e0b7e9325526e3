/** Starts a backend, on its own or in a fleet. */
import { type Cause, Effect, Either, FiberSet, Scope } from "effect"
import type { InvalidOptions } from "../Errors.js"
import { intervalOf } from "../health/cadence.js"
import { methodOf } from "../health/KeepaliveState.js"
import { onClockJump } from "../internal/ClockJump.js"
import { formatMillis } from "../internal/formatMillis.js"
import type { Hub } from "../internal/Hub.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { BackendObserver, Event } from "../observe/Event.js"
import * as Telemetry from "../observe/Telemetry.js"
import type { BackendOptions } from "../options/BackendOptions.js"
import { type Policy, type PolicyOptions, resolve } from "../options/Policy.js"
import * as Problem from "../options/Problem.js"
import type { Offers, Supervision } from "../port/Connector.js"
import type { TemperamentMemory } from "../port/TemperamentMemory.js"
import { Temperament } from "../runtime/Temperament.js"
import { BackendState } from "../state/BackendState.js"
import { Offered } from "../state/Offered.js"
import { type ConnectPermits, unbounded } from "../supervisor/ConnectPermits.js"
import { Supervisor } from "../supervisor/Supervisor.js"
import { BackendHandle } from "./BackendHandle.js"
import * as Extensions from "./Extensions.js"
import { measure } from "./measure.js"
import { Member } from "./Member.js"

export interface FleetContext {
  readonly policy?: Policy | undefined
  readonly permits?: ConnectPermits | undefined
  /** Milliseconds on the Clock's scale. */
  readonly fleetStartedAt?: number | undefined
  /** Tells of each suspend of the machine; a backend on its own watches for itself (R11). */
  readonly clockJumps?: Hub<void> | undefined
  readonly observer?: BackendObserver | undefined
  /** Of the server of which it is one process. */
  readonly temperament?: Temperament | undefined
}

interface Started {
  readonly state: BackendState
  readonly supervisor: Supervisor
  readonly extensions: Extensions.Extensions
}

/** Lives as long as the scope. Its logs are annotated with `backend`. */
export const startBackend = (
  id: string,
  options: BackendOptions,
  fleet: FleetContext
): Effect.Effect<BackendHandle, InvalidOptions, Scope.Scope> =>
  Effect.map(
    Effect.annotateLogs(startParts(id, options, fleet), { backend: id }),
    ({ extensions, state, supervisor }) => new BackendHandle(state, supervisor, options.connector, extensions)
  )

const startParts = (
  id: string,
  options: BackendOptions,
  fleet: FleetContext
): Effect.Effect<Started, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = fleet.policy ?? (yield* resolvePolicy(id, options))
    const { fleetStartedAt } = fleet
    const { catalogMemory: memory, temperamentMemory } = options
    const offered = new Offered()
    let begun: BackendState | undefined
    const changed = () => begun?.publish({})
    const extensions = yield* Extensions.install(options.extensions, { backend: id, policy, changed }, offered)
    const clock = yield* Effect.clock
    const temperament = fleet.temperament ?? (temperamentMemory && (yield* remembered(temperamentMemory)))
    const state = begun = new BackendState(id, policy, clock, { fleetStartedAt, memory, offered, temperament })
    const telemetry = yield* Telemetry.Current
    if (telemetry !== undefined) measure(state, options.connector, telemetry)
    const { interval } = policy.keepalive
    const used = intervalOf(policy, 0)
    if (used < interval && methodOf(policy) !== "none") {
      const [half, asked] = [used, interval].map(formatMillis)
      yield* SafeLog.info(`${id}: keepalive.interval is ${half}, half of keepalive.idleTtl, in place of ${asked}`)
    }
    const offers = extensions === Extensions.none ? undefined : offered
    const supervision = () => supervisionOf(id, policy, extensions, offers, state.temperament)
    const connector = extensions.around(options.connector)
    const supervisor = new Supervisor(state, { ...options, connector }, supervision, fleet.permits ?? unbounded)
    state.observer = fleet.observer
    const { snapshot } = state.published.value
    if (snapshot !== undefined) state.observer?.catalogChanged(snapshot)
    // Registered before the supervisor's own finalizer, so it runs after it.
    yield* Effect.addFinalizer(() => Effect.sync(() => state.end()))
    yield* supervisor.start
    const { clockJumps } = fleet
    const jumped = () => state.send({ _tag: "ClockJumped" })
    if (clockJumps === undefined) yield* onClockJump(jumped)
    else yield* Scope.addFinalizer(yield* Effect.scope, Effect.sync(clockJumps.listen(jumped)))
    return { state, supervisor, extensions }
  })

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

/** For a connector that makes several connections. */
export const supervisionOf = (
  id: string,
  policy: Policy,
  { around }: Pick<Extensions.Extensions, "around"> = Extensions.none,
  offers?: Offers,
  temperament?: Temperament
): Supervision => ({
  backend: id,
  requestTimeout: policy.timeouts.request,
  offers,
  around,
  supervise: (connector, { number, onChanged, onEvent }) => {
    let member: Member | undefined
    // It reads no lists, only the connector starts it, and it ends with the others. The extensions lie around it already.
    const own: Policy = {
      ...policy,
      lifecycle: { lazy: false, idleRelease: undefined, disabled: false },
      discovery: { ...policy.discovery, mode: "learn" }
    }
    // Its supervisor runs only after this step.
    const observer: BackendObserver = {
      changed: () => {
        if (member !== undefined) onChanged(member)
      },
      catalogChanged: () => {},
      event: (event: Event) => {
        if (member === undefined) return
        switch (event._tag) {
          case "AttemptFailed":
          case "Installed":
          case "RuntimeLost":
          case "MemoryHigh":
            onEvent(event, member)
        }
      }
    }
    return startParts(`${id} (process ${number})`, { connector }, { policy: own, observer, temperament }).pipe(
      Effect.orDie,
      // Telemetry counts connections of the server, not of its processes.
      Effect.provideService(Telemetry.Current, undefined),
      Effect.map(({ state, supervisor }) => member = new Member({ number, onChanged }, state, supervisor))
    )
  }
})

/** The decoder gets every option that is not taken out here, and refuses those that it does not know. */
export const resolvePolicy = <R>(
  id: string,
  {
    capabilities: _1,
    catalogMemory: _2,
    clientInfo: _3,
    connector,
    extensions,
    handlers: _4,
    onConnected: _5,
    temperamentMemory: _6,
    ...options
  }: BackendOptions<R>,
  defaults?: PolicyOptions
): Either.Either<Policy, InvalidOptions> => {
  const policy = resolve(id, connector, options, defaults)
  const found = extensions === undefined ? [] : Extensions.check(extensions, ["extensions"])
  const refused = Either.isLeft(policy) ? [policy.left] : []
  const error = Problem.join(Problem.some(found) ? [Problem.refuse(id, found), ...refused] : refused)
  return error === undefined ? policy : Either.left(error)
}
