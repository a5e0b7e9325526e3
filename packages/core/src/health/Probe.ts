/**
 * Probes: single pings that decide whether a connection in doubt still lives.
 */
import { Deferred, Effect, FiberId } from "effect"
import { RequestError } from "../Errors.js"
import { tick } from "../internal/ClockJump.js"
import { withDeadline } from "../internal/deadline.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import type { Installed } from "../runtime/Installed.js"
import type { FailureKind, Runtime } from "../runtime/Runtime.js"

/** The probe of a runtime that is under way. */
interface UnderWay {
  readonly runtime: Runtime
  readonly done: Deferred.Deferred<void>
}

/** Probes whichever runtime is installed, and counts what fails. */
export class Probe {
  readonly #backend: BackendState
  #underWay: UnderWay | undefined
  /** The runtime that left a request or the last probe without an answer. */
  #silent: Runtime | undefined
  /** What sends others after a failed probe. */
  #following: { readonly runtime: Runtime } | undefined

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** One ping of its own, counted as a probe; the error it failed with. Where it fails, others follow by themselves. (H4, H5, H8) */
  now(installed: Installed): Effect.Effect<RequestError | undefined> {
    return Effect.tap(this.#ask(installed), (error) => error === undefined ? Effect.void : this.#follow(installed))
  }

  /** One ping, counted; the error it failed with. */
  #ask({ connection, runtime }: Installed): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const { timeout } = this.#backend.policy.keepalive
      // The guard stands inside what runs in a fiber of its own, so that it and the send are one step. (K9)
      const ping = Effect.suspend(() =>
        this.#backend.isCurrent(runtime)
          ? connection.request("ping", undefined, { timeout })
          : Effect.fail(new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" }))
      )
      return Effect.match(withDeadline(ping, timeout), {
        onSuccess: () => undefined,
        onFailure: (error) => error.fate === "answered" ? undefined : error
      }).pipe(
        Effect.tap((error) =>
          Effect.sync(() => {
            if (!this.#backend.isCurrent(runtime)) return
            this.#backend.recordProbe(error === undefined)
            this.#silent = error?.reason === "timeout" ? runtime : undefined
            if (error !== undefined) return this.countFailure(runtime, "request", error)
            runtime.answered(this.#backend.now())
          })
        )
      )
    })
  }

  /** Whether a runtime has left a request without an answer, and has answered no probe since. */
  isSilent(runtime: Runtime): boolean {
    if (this.#silent !== runtime) return false
    return this.#underWay?.runtime === runtime ||
      (this.#following?.runtime === runtime && runtime.failures("request") > 0)
  }

  /**
   * Sends one probe at once, joining one under way; gives what waits for its end. Where it fails, others follow by themselves,
   * `suspectInterval` apart, until one is answered or the runtime is lost. `silent`: what raises it was left without an answer. (H4)
   */
  onSuspicion(installed: Installed, silent = false): Effect.Effect<Effect.Effect<void>> {
    return Effect.suspend(() => {
      const { runtime } = installed
      if (!this.#backend.isCurrent(runtime)) return Effect.succeed(Effect.void)
      if (silent) this.#silent = runtime
      if (this.#underWay?.runtime === runtime) return Effect.succeed(Deferred.await(this.#underWay.done))
      const underWay = { runtime, done: Deferred.unsafeMake<void>(FiberId.none) }
      this.#underWay = underWay
      const probing = Effect.ensuring(
        this.#ask(installed),
        Effect.suspend(() => {
          if (this.#underWay === underWay) this.#underWay = undefined
          return Effect.zipRight(Deferred.succeed(underWay.done, undefined), this.#follow(installed)) // guard: probe-is-followed
        })
      )
      return Effect.as(runtime.fork(probing), Deferred.await(underWay.done))
    })
  }

  /** Goes on probing while probes fail, once for each runtime. Whoever waits for the verdict learns how the last one ended. */
  #follow(installed: Installed): Effect.Effect<void> {
    const { runtime } = installed
    const suspected = () => runtime.failures("request") > 0
    if (!suspected() || this.#following?.runtime === runtime || runtime.detached) {
      return Effect.sync(() => runtime.probed())
    }
    const following = this.#following = { runtime }
    // In one step with the look that ends it: the next failure begins anew.
    const end = () => {
      if (this.#following === following) this.#following = undefined
      runtime.probed()
    }
    const again = Effect.zipRight(
      Effect.sleep(this.#backend.policy.keepalive.suspectInterval),
      Effect.suspend(() => suspected() ? Effect.flatten(this.onSuspicion(installed)) : Effect.void)
    )
    const goesOn = () => {
      if (suspected()) return true
      end()
      return false
    }
    runtime.probed()
    return Effect.asVoid(runtime.fork(Effect.ensuring(Effect.repeat(again, { while: goesOn }), Effect.sync(end))))
  }

  /**
   * Sends one probe, or joins one, that decides: the machine was suspended, and what became of the connection is open. An
   * answer that has come since then has decided already. (R11)
   */
  afterClockJump(installed: Installed): Effect.Effect<void> {
    const { runtime } = installed
    const answeredLately = this.#backend.now() - runtime.answeredAt < tick
    if (answeredLately || this.#backend.policy.keepalive.method === "none") return Effect.void
    const applyVerdict = () => {
      if (runtime.failures("request") === 0) return
      this.#backend.send({
        _tag: "Lost",
        runtime,
        loss: { kind: "health", message: "no answer to a probe after the machine was suspended" }
      })
    }
    return Effect.flatMap(
      this.onSuspicion(installed),
      (ended) => Effect.asVoid(runtime.fork(Effect.map(ended, applyVerdict)))
    )
  }

  /** Counts a failure; enough of them in a row and the runtime is lost. (H1) */
  countFailure(runtime: Runtime, kind: FailureKind, error: RequestError): void {
    const count = runtime.failed(kind)
    if (count < this.#backend.policy.health.failureThreshold) return
    const what = kind === "discovery" ? "readings of the lists" : "probes"
    this.#backend.send({
      _tag: "Lost",
      runtime,
      loss: { kind: "health", message: `${count} ${what} in a row failed: ${error.message}` }
    })
  }
}
