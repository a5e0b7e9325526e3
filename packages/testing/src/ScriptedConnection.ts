/**
 * A scripted connection, and the session that it belongs to.
 */
import type { ConnectError, ConnectOptions, Loss, ResourceUsage } from "@mcp-lifeline/core"
import { RequestError, type RequestOptions } from "@mcp-lifeline/core"
import { Deferred, Effect, FiberId } from "effect"
import type { Ledger, SessionEvent } from "./Ledger.js"

/** How one attempt goes. By default nothing fails. All durations are in milliseconds. */
export interface Outcome {
  /**
   * `open` (default), `fail`, `hang` (until interrupted). And as broken connectors do: `throw` (synchronously), `interrupt` (itself),
   * `failWithNothing` (in place of an error), `nothing` (in place of a connection).
   */
  readonly connect?: "open" | "fail" | "hang" | "throw" | "interrupt" | "failWithNothing" | "nothing" | undefined
  /** How long it takes. Default 0. */
  readonly after?: number | undefined
  /** It cannot be interrupted while it takes that long. Default false. */
  readonly stubborn?: boolean | undefined
  /** The failure, where it fails. Default: refused, not permanent. */
  readonly error?: Partial<Pick<ConnectError, "reason" | "permanent" | "retryAfter" | "message">> | undefined
  /** How long its close takes; `never` hangs, `die` dies. Default 0. */
  readonly close?: number | "never" | "die" | undefined
  /** Members of its connection that are broken: `fail` and `onLost` throw once they have done what they do; `loss` is missing. */
  readonly broken?: "fail" | "onLost" | "loss" | undefined
  /** Whether the connection says that the server keeps a session. Default true. */
  readonly stateful?: boolean | undefined
  /** Whether its session can outlive it (`Connection.suspend`). Default false. */
  readonly suspends?: boolean | undefined
  /**
   * What happens when Lifeline offers this attempt a suspended session: the connection resumes it, the server has forgotten it, or the
   * connector ignores it and makes a new one. Default `resumed`.
   */
  readonly offered?: "resumed" | "forgotten" | "ignored" | undefined
  /** The connection ends by itself this long after it was opened. */
  readonly loseAfter?: number | undefined
}

/** A request that waits for its answer, and the connection or session that can bring it. */
interface Waiting {
  readonly end: Deferred.Deferred<never, RequestError>
  holder: Set<Waiting>
}

const lose = (waiting: Iterable<Waiting>, message: string): void => {
  for (const { end } of [...waiting]) {
    Deferred.unsafeDone(end, Effect.fail(new RequestError({ fate: "unknown", reason: "lost", message })))
  }
}

/** Requests of one connection move to another holder, which settles them from now on. */
const move = (waiting: Set<Waiting>, holder: Set<Waiting>): void => {
  for (const request of [...waiting]) {
    waiting.delete(request)
    holder.add(request)
    request.holder = holder
  }
}

/** A session of the scripted server. */
export class ScriptedSession {
  readonly id: number
  /** Requests that wait while no connection has the session. */
  readonly waiting = new Set<Waiting>()
  /** What became of it last. */
  last: SessionEvent | undefined
  readonly #ledger: Ledger
  #over = false

  constructor(id: number, ledger: Ledger) {
    this.id = id
    this.#ledger = ledger
  }

  write(event: SessionEvent, at: number, connection?: number): void {
    this.last = event
    this.#ledger.sessions.push({ at, session: this.id, event, connection })
  }

  /** It is over: ended by us, or forgotten by the server. What the server has forgotten cannot be ended. */
  over(how: "ended" | "forgotten", at: number, connection?: number): void {
    if (this.#over && how === "ended" && this.last === "forgotten") return
    this.#over = true
    this.write(how, at, connection)
    lose(this.waiting, `the session is ${how}`)
  }
}

/** A connection that does what the test says. */
export class ScriptedConnection {
  readonly id: number
  readonly session: ScriptedSession
  readonly options: ConnectOptions
  /** How its attempt was scripted. */
  readonly outcome: Outcome
  state: "open" | "failed" | "closed" = "open"
  /** Why it ended, if it did. */
  loss: Loss | undefined
  /** Whether the session was taken out of it. */
  suspended = false
  readonly #pending = new Set<Waiting>()
  #onLost: ((loss: Loss) => void) | undefined

  readonly #now: () => number

  constructor(id: number, options: ConnectOptions, outcome: Outcome, session: ScriptedSession, now: () => number) {
    this.id = id
    this.#now = now
    this.session = session
    move(session.waiting, this.#pending)
    this.options = options
    this.outcome = outcome
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    return this.#pending.size
  }

  /**
   * Ends the connection as its transport would: the backend learns of it, and what is pending fails. With a forgotten session, what is
   * pending waits on, because the server refuses each request by itself.
   */
  lose(loss: Loss | Loss["kind"] = "closed"): void {
    if (this.state !== "open") return
    const how: Loss = typeof loss === "string" ? { kind: loss, message: `scripted loss: ${loss}` } : loss
    this.loss = how
    this.#onLost?.(this.outcome.broken === "loss" ? undefined as never : how)
    // Where the session may go on, it is for the core to say what becomes of what waits.
    if (this.outcome.suspends === true || how.kind === "session") this.state = "failed"
    else this.fail(how)
  }

  /** Sends a notification of the server. */
  notify(method: string, params?: Record<string, unknown>): void {
    if (this.state !== "closed") this.options.report({ _tag: "Notification", notification: { method, params } })
  }

  /** Reports what the processes of the server use. By default, no processor time. */
  use(memory: number, { cpu = 0, cpuTime = 0 }: Partial<ResourceUsage> = {}): void {
    if (this.state !== "closed") this.options.report({ _tag: "Usage", usage: { memory, cpu, cpuTime } })
  }

  /** See `Connection.fail`. */
  fail(loss: Loss): void {
    if (this.state === "closed") return
    this.state = "failed"
    lose(this.#pending, loss.message)
  }

  /** See `Connection.suspend`. Every request waits on. */
  suspend(): ScriptedSession {
    this.suspended = true
    this.session.write("suspended", this.#now(), this.id)
    move(this.#pending, this.session.waiting)
    return this.session
  }

  /** See `Connection.onLost`. */
  onLost(callback: (loss: Loss) => void): void {
    this.#onLost = callback
    if (this.loss !== undefined) callback(this.loss)
  }

  /** Waits for an answer until the connection fails or the time is up. */
  wait(answer: Effect.Effect<unknown, RequestError>, options: RequestOptions): Effect.Effect<unknown, RequestError> {
    return Effect.suspend(() => {
      const end = Deferred.unsafeMake<never, RequestError>(FiberId.none)
      const waiting: Waiting = { end, holder: this.#pending }
      this.#pending.add(waiting)
      return answer.pipe(
        Effect.raceFirst(Deferred.await(end)),
        Effect.timeoutFail({
          duration: options.timeout,
          onTimeout: () =>
            new RequestError({ fate: "unknown", reason: "timeout", message: `no answer within ${options.timeout} ms` })
        }),
        Effect.ensuring(Effect.sync(() => waiting.holder.delete(waiting)))
      )
    })
  }
}
