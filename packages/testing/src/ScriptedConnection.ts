import type { ConnectError, ConnectOptions, Loss, ResourceUsage } from "@mcp-lifeline/core"
import { RequestError, type RequestOptions } from "@mcp-lifeline/core"
import { Deferred, Effect, FiberId } from "effect"
import type { Ledger, SessionEvent } from "./Ledger.js"

/** How one attempt goes. By default nothing fails. Durations are in milliseconds. */
export interface Outcome {
  /**
   * `open` (default), `fail`, `hang` (until interrupted). Like broken connectors: `throw` (synchronously), `interrupt` (itself),
   * `failWithNothing` (no error), `nothing` (no connection).
   */
  readonly connect?: "open" | "fail" | "hang" | "throw" | "interrupt" | "failWithNothing" | "nothing" | undefined
  /** Default 0. */
  readonly after?: number | undefined
  /** Not interruptible during `after`. Default false. */
  readonly stubborn?: boolean | undefined
  /** Default: refused, not permanent. */
  readonly error?: Partial<Pick<ConnectError, "reason" | "permanent" | "retryAfter" | "message">> | undefined
  /** Duration of the close; `never` hangs, `die` dies. Default 0. */
  readonly close?: number | "never" | "die" | undefined
  /** Broken members of the connection: `fail` and `onLost` throw after their work; `loss` is missing. */
  readonly broken?: "fail" | "onLost" | "loss" | undefined
  /** Whether the server keeps a session. Default true. */
  readonly stateful?: boolean | undefined
  /** Whether its session can outlive it (`Connection.suspend`). Default false. */
  readonly suspends?: boolean | undefined
  /**
   * What happens to an offered suspended session: resumed, forgotten by the server, or ignored by the connector, which makes a new
   * one. Default `resumed`.
   */
  readonly offered?: "resumed" | "forgotten" | "ignored" | undefined
  /** The connection ends by itself this long after opening. */
  readonly loseAfter?: number | undefined
}

/** `holder`: the connection or session that can bring the answer. */
interface Waiting {
  readonly end: Deferred.Deferred<never, RequestError>
  holder: Set<Waiting>
}

const lose = (waiting: Iterable<Waiting>, message: string): void => {
  for (const { end } of [...waiting]) {
    Deferred.unsafeDone(end, Effect.fail(new RequestError({ fate: "unknown", reason: "lost", message })))
  }
}

/** Then the new holder settles them. */
const move = (waiting: Set<Waiting>, holder: Set<Waiting>): void => {
  for (const request of [...waiting]) {
    waiting.delete(request)
    holder.add(request)
    request.holder = holder
  }
}

export class ScriptedSession {
  readonly id: number
  /** Requests that wait while no connection has the session. */
  readonly waiting = new Set<Waiting>()
  /** The last event. */
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

  /** What the server has forgotten cannot be ended. */
  over(how: "ended" | "forgotten", at: number, connection?: number): void {
    if (this.#over && how === "ended" && this.last === "forgotten") return
    this.#over = true
    this.write(how, at, connection)
    lose(this.waiting, `the session is ${how}`)
  }
}

export class ScriptedConnection {
  readonly id: number
  readonly session: ScriptedSession
  readonly options: ConnectOptions
  /** How its attempt was scripted. */
  readonly outcome: Outcome
  state: "open" | "failed" | "closed" = "open"
  /** Why it ended. */
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

  /** Unanswered requests. */
  get pending(): number {
    return this.#pending.size
  }

  /**
   * Ends the connection as its transport would: the backend learns of it, and pending requests fail. With a forgotten session they
   * wait, because the server refuses each by itself.
   */
  lose(loss: Loss | Loss["kind"] = "closed"): void {
    if (this.state !== "open") return
    const how: Loss = typeof loss === "string" ? { kind: loss, message: `scripted loss: ${loss}` } : loss
    this.loss = how
    this.#onLost?.(this.outcome.broken === "loss" ? undefined as never : how)
    // If the session may go on, the core decides about pending requests.
    if (this.outcome.suspends === true || how.kind === "session") this.state = "failed"
    else this.fail(how)
  }

  /** From the server. */
  notify(method: string, params?: Record<string, unknown>): void {
    if (this.state !== "closed") this.options.report({ _tag: "Notification", notification: { method, params } })
  }

  /** Reports resource usage of the server's processes. Default: no processor time. */
  use(memory: number, { cpu = 0, cpuTime = 0 }: Partial<ResourceUsage> = {}): void {
    if (this.state !== "closed") this.options.report({ _tag: "Usage", usage: { memory, cpu, cpuTime } })
  }

  /** See `Connection.fail`. */
  fail(loss: Loss): void {
    if (this.state === "closed") return
    this.state = "failed"
    lose(this.#pending, loss.message)
  }

  /** See `Connection.suspend`. Every request waits. */
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

  /** Until the connection fails or the time is up. */
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
