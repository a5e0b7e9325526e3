/**
 * What works for an installed runtime, in its attached scope, and ends with it: keepalive, the reading of lists, probes on
 * suspicion and the idle timer.
 */
import { Deferred, Duration, Effect, Fiber, FiberId, Schedule } from "effect"
import type { Kind, Snapshot } from "./Catalog.js"
import type { Loss } from "./Connection.js"
import * as Discovery from "./Discovery.js"
import { RequestError } from "./Errors.js"
import * as Health from "./Health.js"
import * as SafeLog from "./internal/SafeLog.js"
import * as Keepalive from "./Keepalive.js"
import * as Metrics from "./Metrics.js"
import { backoff } from "./Reconnect.js"
import { answered, type Runtime, within } from "./Runtime.js"
import type { Installed, Journal } from "./Slot.js"
import { tick } from "./Suspend.js"

/** What an attendant reports. */
export interface Reports {
  readonly lost: (runtime: Runtime, loss: Loss) => void
  readonly released: (runtime: Runtime) => void
  /** The first reading of the lists of a runtime has ended, well or not. */
  readonly settled: () => void
}

/** One reading of lists at a time; what is asked for meanwhile is read after it, once (P4). */
interface Reading {
  readonly runtime: Runtime
  readonly wanted: Set<Kind>
  readonly lock: Effect.Semaphore
  running: boolean
}

/** Works for one backend, on whichever runtime is installed. */
export class Attendant {
  readonly #journal: Journal
  readonly #reports: Reports
  #reading: Reading | undefined
  /** Of the installed runtime; kept while keepalive is paused. */
  #rung = Keepalive.makeRung()
  /** The keepalive that may send now; what was started before it may not, even where it has not ended yet. */
  #keepalive: { fiber: Fiber.RuntimeFiber<void> | undefined } | undefined

  /** The fiber of the last keepalive: the next one begins when it has ended (K8). */
  #heartbeats: Fiber.RuntimeFiber<void> | undefined
  /** The runtime for which it was said that keepalive is off. */
  #saidOff: Runtime | undefined
  /** It was said that OPTIONS does not show whether the session is known. */
  #saidBlind = false

  constructor(journal: Journal, reports: Reports) {
    this.#journal = journal
    this.#reports = reports
  }

  /** Begins to work for a runtime that has just been installed. */
  attach(installed: Installed): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { runtime } = installed
      this.#rung = Keepalive.makeRung()
      this.#reading = { runtime, wanted: new Set(Discovery.kinds), lock: Effect.unsafeMakeSemaphore(1), running: false }
      const { idleRelease } = this.#journal.policy.lifecycle
      const { refreshInterval } = this.#journal.policy.discovery
      return Effect.all([
        this.readLists(runtime),
        this.#startKeepalive(installed),
        idleRelease === undefined ? Effect.void : forkAttached(runtime, this.#watchIdle(runtime, idleRelease)),
        refreshInterval === undefined
          ? Effect.void
          : forkAttached(runtime, Effect.schedule(this.#rereadAll(runtime), Schedule.spaced(refreshInterval)))
      ], { discard: true })
    })
  }

  // --- lists

  /** Notes that lists have changed; whether that is news, and `readLists` has to be called. */
  listsChanged(runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean {
    const reading = this.#reading
    if (reading?.runtime !== runtime || kinds.every((kind) => reading.wanted.has(kind))) return false
    for (const kind of kinds) reading.wanted.add(kind)
    return !reading.running
  }

  /** Reads the lists that have changed, in the background, again and again until it has them or the runtime is lost. */
  readLists(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const reading = this.#reading
      if (reading?.runtime !== runtime || reading.running || reading.wanted.size === 0) return Effect.void
      reading.running = true
      return forkAttached(runtime, this.#read(reading))
    })
  }

  /** Reads all lists now, for somebody who waits (P9). */
  refresh(installed: Installed): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      const lock = this.#reading?.runtime === installed.runtime ? this.#reading.lock : Effect.unsafeMakeSemaphore(1)
      return this.#readOnce(installed, Discovery.kinds, lock)
    })
  }

  #rereadAll(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => this.listsChanged(runtime, Discovery.kinds) ? this.readLists(runtime) : Effect.void)
  }

  #read(reading: Reading): Effect.Effect<void> {
    const once: Effect.Effect<void, RequestError> = Effect.suspend(() => {
      const { current } = this.#journal.cell.get()
      if (current?.runtime !== reading.runtime) return Effect.void
      const kinds = [...reading.wanted]
      reading.wanted.clear()
      return Effect.tapError(this.#readOnce(current, kinds, reading.lock), (error) =>
        Effect.sync(() => {
          for (const kind of kinds) reading.wanted.add(kind)
          this.#reports.settled()
          if (error.fate === "answered") reading.runtime.vitals.answeredAt = this.#journal.now()
        }))
    })
    const patient = Effect.retry(once, backoff(this.#journal.policy.reconnect))
    return Effect.suspend(() => patient).pipe(
      Effect.repeat({
        while: () => {
          reading.running = this.#journal.isCurrent(reading.runtime) && reading.wanted.size > 0
          return reading.running
        }
      }),
      Effect.onError(() =>
        Effect.sync(() => {
          reading.running = false
        })
      ),
      Effect.ignore
    )
  }

  #readOnce(
    { connection, runtime }: Installed,
    kinds: ReadonlyArray<Kind>,
    lock: Effect.Semaphore
  ): Effect.Effect<void, RequestError> {
    const { id, policy } = this.#journal
    return lock.withPermits(1)(
      Effect.matchEffect(
        bounded(
          Discovery.read(id, connection, kinds, policy, () => answered(runtime.vitals, this.#journal.now())),
          policy
        ),
        {
          onSuccess: (lists) => Effect.sync(() => this.#publish({ connection, runtime }, lists)),
          onFailure: (error) =>
            Effect.suspend(() => {
              if (!this.#journal.isCurrent(runtime)) return Effect.fail(error)
              this.#journal.tell({ _tag: "DiscoveryFailed", generation: runtime.generation, message: error.message })
              this.#count(runtime, "discoveryFailures", error)
              return Effect.fail(error)
            })
        }
      )
    )
  }

  /** Publishes what was read, if its runtime is still the installed one. */
  #publish({ connection, runtime }: Installed, lists: ReadonlyArray<Discovery.ReadList>): void {
    const journal = this.#journal
    const slot = journal.cell.get()
    if (slot.current?.runtime !== runtime) return
    const merged = Discovery.merge(slot.snapshot, lists, journal.id)
    for (const { refused } of lists) {
      if (refused !== undefined) {
        journal.tell({ _tag: "DiscoveryFailed", generation: runtime.generation, message: refused })
      }
    }
    const revision = slot.revision + 1
    const snapshot: Snapshot = {
      ...merged,
      generation: runtime.generation,
      revision,
      stale: false,
      serverInfo: connection.serverInfo,
      capabilities: connection.capabilities,
      instructions: connection.instructions,
      protocolVersion: connection.protocolVersion
    }
    const known = slot.snapshot
    const news = known === undefined || JSON.stringify({ ...known, revision }) !== JSON.stringify(snapshot)
    if (news) journal.publish({ revision, snapshot })
    this.#reports.settled()
  }

  // --- health

  /** Counts a failure; enough of them in a row and the runtime is lost (H1). */
  #count(runtime: Runtime, which: "discoveryFailures" | "requestFailures", error: RequestError): void {
    const { vitals } = runtime
    vitals[which]++
    if (vitals[which] >= this.#journal.policy.health.failureThreshold) {
      this.#reports.lost(runtime, {
        kind: "health",
        message: `${vitals[which]} ${
          which === "discoveryFailures" ? "readings of the lists" : "probes"
        } in a row failed: ${error.message}`
      })
    }
  }

  /** One ping, counted as a probe; the error it failed with (H5, H8). */
  readonly probe = ({ connection, runtime }: Installed): Effect.Effect<RequestError | undefined> =>
    Effect.suspend(() => {
      const { timeout } = this.#journal.policy.keepalive
      // Guarded inside what runs in a fiber of its own, so that the guard and the send are one step (K9).
      const ping = Effect.suspend(() =>
        this.#journal.isCurrent(runtime)
          ? connection.request("ping", undefined, { timeout })
          : Effect.fail(new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" }))
      )
      return Effect.match(within(ping, timeout), {
        onSuccess: () => undefined,
        onFailure: (error) => error.fate === "answered" ? undefined : error
      }).pipe(
        Effect.tap((error) =>
          Effect.sync(() => {
            if (!this.#journal.isCurrent(runtime)) return
            this.#record(error === undefined)
            if (error !== undefined) return this.#count(runtime, "requestFailures", error)
            answered(runtime.vitals, this.#journal.now())
          })
        )
      )
    })

  /** Sends one probe at once, joining one under way; gives what waits for its end (H4). */
  readonly suspect = (installed: Installed): Effect.Effect<Effect.Effect<void>> =>
    Effect.suspend(() => {
      const { vitals } = installed.runtime
      if (vitals.probe !== undefined) return Effect.succeed(Deferred.await(vitals.probe))
      if (!this.#journal.isCurrent(installed.runtime)) return Effect.succeed(Effect.void)
      const done = Deferred.unsafeMake<void>(FiberId.none)
      vitals.probe = done
      const probing = Effect.ensuring(
        Effect.asVoid(this.probe(installed)),
        Effect.suspend(() => {
          vitals.probe = undefined
          return Deferred.succeed(done, undefined)
        })
      )
      return Effect.as(forkAttached(installed.runtime, probing), Deferred.await(done))
    })

  /**
   * Sends one probe, or joins one, that decides: the machine was suspended, and what became of the connection is open (R11).
   * An answer that has come since then has decided already.
   */
  decide(installed: Installed): Effect.Effect<void> {
    const { runtime } = installed
    const lately = this.#journal.now() - runtime.vitals.answeredAt < tick
    if (lately || this.#journal.policy.keepalive.method === "none") return Effect.void
    const judge = () => {
      if (runtime.vitals.requestFailures === 0) return
      this.#reports.lost(runtime, { kind: "health", message: "no answer to a probe after the machine was suspended" })
    }
    return Effect.flatMap(
      this.suspect(installed),
      (ended) => Effect.asVoid(forkAttached(runtime, Effect.map(ended, judge)))
    )
  }

  /** Adds a probe to the history; who watches the status learns of it where the score has changed (H6). */
  #record(ok: boolean): void {
    const { tally } = this.#journal
    const before = Health.score(tally.history)
    tally.history = Health.record(tally.history, ok)
    if (Health.score(tally.history) !== before) this.#journal.publish({})
  }

  // --- keepalive

  get pause(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#journal.memory.paused = true
      const fiber = this.#keepalive?.fiber
      this.#keepalive = undefined
      this.#keepaliveChanged("paused", "paused by keepalive.pause()")
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interruptFork(fiber))
    })
  }

  get resume(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#journal.memory.paused) return Effect.void
      this.#journal.memory.paused = false
      const { current } = this.#journal.cell.get()
      if (current !== undefined) return this.#startKeepalive(current)
      this.#keepaliveChanged("off", "no connection")
      return Effect.void
    })
  }

  #startKeepalive({ connection, runtime }: Installed): Effect.Effect<void> {
    const journal = this.#journal
    const { memory, policy } = journal
    const off = Keepalive.offReason(policy, connection)
    if (off !== undefined) {
      this.#keepaliveChanged("off", off)
      if (this.#saidOff === runtime) return Effect.void
      this.#saidOff = runtime
      return SafeLog.info(`${journal.id}: keepalive is off: ${off}`)
    }
    if (memory.paused) return Effect.void
    const previous = this.#heartbeats
    const self: { fiber: Fiber.RuntimeFiber<void> | undefined } = { fiber: undefined }
    this.#keepalive = self
    const run = Effect.flatMap(Metrics.meter(journal.id), (meter) =>
      Keepalive.run({
        policy,
        memory,
        rung: this.#rung,
        connection,
        vitals: runtime.vitals,
        now: () => journal.now(),
        epoch: journal.epoch,
        isCurrent: () => this.#keepalive === self && journal.isCurrent(runtime),
        onLost: (loss) => this.#reports.lost(runtime, loss),
        onBeat: (sent, verdict, millis) => {
          journal.telemetry?.beat(sent, verdict._tag === "Success" ? undefined : verdict.reason, millis)
          meter.beat(sent, verdict, millis)
        },
        onRound: (alive) => this.#record(alive),
        onOpen: ({ message, reason, reprobeAt }, again) => {
          const why = `${reason}: ${message}`
          const wait = shown(reprobeAt - journal.now())
          this.#keepaliveChanged("disabled", why, reprobeAt)
          if (again) return SafeLog.debug(`${journal.id}: keepalive stays disabled (${why}); probed again in ${wait}`)
          const method = Keepalive.methodOf(policy)
          journal.telemetry?.breakerOpened(method, reason)
          meter.disabled(method, reason)
          return SafeLog.warning(
            `${journal.id}: keepalive is disabled (${why}); the session goes on; probed again in ${wait}`
          )
        },
        onClose: () => {
          this.#keepaliveChanged("running", undefined)
          return SafeLog.info(`${journal.id}: keepalive works again`)
        },
        onFallback: (tool) => SafeLog.info(`${journal.id}: keepalive falls back to the tool ${tool}`),
        onDefect: (cause) => SafeLog.error(`${journal.id}: a heartbeat failed unexpectedly; keepalive goes on`, cause)
      }))
    return Effect.map(
      Effect.zipRight(this.#remark(connection), forkAttached(runtime, after(previous, run))),
      (fiber) => {
        self.fiber = fiber
        this.#heartbeats = fiber
        const { open } = memory
        if (open === undefined) return this.#keepaliveChanged("running", undefined)
        this.#keepaliveChanged("disabled", `${open.reason}: ${open.message}`, open.reprobeAt)
      }
    )
  }

  /** Says, once, that the method is not what it looks like (K2). */
  #remark(connection: Installed["connection"]): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#saidBlind || Keepalive.methodOf(this.#journal.policy) !== "options" || !connection.stateful) {
        return Effect.void
      }
      this.#saidBlind = true
      return SafeLog.warning(
        `${this.#journal.id}: keepalive.method "options" shows that the server is reachable, not that it still knows the session; use "ping" or "tool:<name>" for a server with sessions`
      )
    })
  }

  #keepaliveChanged(
    state: "running" | "off" | "paused" | "disabled",
    reason: string | undefined,
    nextProbeAt?: number
  ): void {
    const { generation } = this.#journal.cell.get()
    this.#journal.tell({ _tag: "KeepaliveChanged", generation, state, reason, nextProbeAt })
    this.#journal.publish({})
  }

  // --- idleness

  /** Reports a runtime that no call has used for so long (L18). */
  #watchIdle(runtime: Runtime, idleRelease: number): Effect.Effect<void> {
    const { vitals } = runtime
    return Effect.suspend(() => {
      const left = vitals.inFlight > 0 ? idleRelease : vitals.usedAt + idleRelease - this.#journal.now()
      if (left > 0) return Effect.sleep(left)
      this.#reports.released(runtime)
      return Effect.sleep(idleRelease)
    }).pipe(Effect.forever)
  }
}

const after = <A>(fiber: Fiber.RuntimeFiber<void> | undefined, next: Effect.Effect<A>): Effect.Effect<A> =>
  fiber === undefined ? next : Effect.zipRight(Fiber.await(fiber), next)

const shown = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))

/** Runs in the attached scope of a runtime: ends, interrupted, at its detach. */
const forkAttached = <A, E>(runtime: Runtime, work: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>> =>
  Effect.forkIn(Effect.interruptible(work), runtime.attached)

const bounded = <A>(
  reading: Effect.Effect<A, RequestError>,
  policy: Journal["policy"]
): Effect.Effect<A, RequestError> => within(reading, policy.timeouts.request * policy.discovery.maxPages)
