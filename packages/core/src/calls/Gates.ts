import { type Effect, Exit } from "effect"
import { type BackendUnavailable, type CallError, SessionExpired } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { aside, open, said } from "../observe/Said.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { after, type Call, interrupted, type Rest } from "./Call.js"
import type { FailedRequests } from "./FailedRequests.js"
import type { QueuedCalls } from "./QueuedCalls.js"
import type { TaskSupport } from "./tasks/TaskSupport.js"
import type { ToolHints } from "./ToolHints.js"
import type { Waiting } from "./Waiting.js"

export interface Parts {
  readonly backend: BackendState
  readonly failures: FailedRequests
  readonly hints: ToolHints
  readonly probe: Probe
  readonly queue: QueuedCalls
  readonly tasks: TaskSupport
  readonly wait: Waiting
}

export class Gates {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  refusal<M extends Method>({ isGivenUp, method, params }: Call<M>): Exit.Exit<never, CallError> | undefined {
    if (isGivenUp) return interrupted
    const { id, offered } = this.#parts.backend
    const error = offered.refusal(id, method, params)
    return error && Exit.fail(error)
  }

  /** Nothing if it is sent in this step: its task is decided, and it has its place in the queue. */
  keeps<M extends Method>(call: Call<M>, runtime: Runtime): Rest<M> | undefined {
    const { queue, tasks, wait } = this.#parts
    if (this.#isHeld(call, runtime)) return after(this.#verdict(call, runtime))
    const unclear = this.#undecided(call, runtime)
    if (unclear !== undefined) return unclear
    if (!tasks.decide(call, runtime)) return this.#beside(call, tasks.read(call, runtime))
    // A request about a task sends nothing that a server could run without what it had kept.
    const expired = call.about === undefined ? this.#expired(call, runtime.generation) : undefined
    if (expired !== undefined) return Exit.fail(expired)
    return queue.take(call) ? undefined : after(wait.forTurn(call))
  }

  /** Another version of the server may do something else: then only a tool that reads is harmless. (C15) */
  #undecided<M extends Method>(call: Call<M>, runtime: Runtime): Rest<M> | undefined {
    const { undecided } = call
    if (undecided === undefined) return undefined
    const { hints } = this.#parts
    const mayRepeat = hints.mayRepeat(call, runtime, !isSameServer(undecided.failed, runtime))
    call.repeated = mayRepeat === true
    if (mayRepeat === undefined && undecided.readOn !== runtime) {
      undecided.readOn = runtime
      return this.#beside(call, hints.read(call, runtime, () => hints.mayRepeat(call, runtime) !== undefined))
    }
    if (mayRepeat !== true) return undecided.fail
    const { pause } = undecided
    undecided.pause = undefined
    return pause && this.#beside(call, pause)
  }

  /** Nothing of it is in flight: others need not wait for it. */
  #beside<M extends Method>(call: Call<M>, wait: Effect.Effect<void, CallError>): Rest<M> {
    this.#parts.queue.leave(call) // guard: reading-holds-no-place
    return after(wait)
  }

  /** A call that may have been carried out fails as such; the next one learns of the loss. */
  #expired<M extends Method>({ unknown }: Call<M>, newGeneration: number): SessionExpired | undefined {
    const { id: backend, published } = this.#parts.backend
    const { lostGeneration: generation } = published.value
    if (generation === undefined) return undefined
    if (unknown === undefined) this.#parts.backend.update((slot) => ({ ...slot, lostGeneration: undefined }))
    return new SessionExpired({
      backend,
      generation,
      newGeneration,
      ...said`${
        open(backend)
      }: the call was not sent, because the session of generation ${generation} was lost, and generation ${newGeneration} knows nothing of it. Rebuild what the server kept for you, then call again`
    })
  }

  /** Where only a probe had no answer, a repeatable call is sent: its answer is a verdict, too. A ping is a probe itself. (C14) */
  #isHeld<M extends Method>(call: Call<M>, runtime: Runtime): boolean {
    const { failures, probe } = this.#parts
    const silence = probe.silenceOf(runtime)
    if (silence === undefined || call.method === "ping") return false
    if (silence === "call") return true // guard: doubt-holds-all
    return !failures.mayRepeat(call, runtime) // guard: silent-is-not-used
  }

  #verdict<M extends Method>(call: Call<M>, runtime: Runtime): Effect.Effect<void, BackendUnavailable> {
    const { backend, wait } = this.#parts
    const settled = runtime.hold(() => !backend.isCurrent(runtime) || !this.#isHeld(call, runtime))
    return wait.forVerdict(call, settled, () => {
      const why = aside(backend.published.value.verdict?.reason)
      return said`the call was not sent, because the server does not answer probes${why}`
    })
  }
}

const isSameServer = ({ connection: a }: Runtime, { connection: b }: Runtime): boolean =>
  a.serverInfo.name === b.serverInfo.name && a.serverInfo.version === b.serverInfo.version
