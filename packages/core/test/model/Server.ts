import { RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { type Expiry, timeToLive } from "./Expiry.js"
import type { Fate, Refusals } from "./Refusals.js"
import type { Silence } from "./Silence.js"
import { type Doing, isDoing, type Verdicts } from "./Verdicts.js"

/** How a connection answers: not at all while its processes do anything else. */
export type Mode = "ok" | "hang" | "slow" | "late" | "broken" | Doing

/** Sessions that it is going to forget: so many, each at its request of this number, from 0, and in these words. */
export interface Forgets {
  readonly at: number
  readonly times: number
  readonly words: "known" | Fate
}

export interface Parts {
  readonly refusals: Refusals
  readonly silence: Silence
  readonly expiry: Expiry
  readonly verdicts: Verdicts
  readonly grants: boolean
  readonly now: () => number
  readonly ignoresPings: () => boolean
  readonly fault: (what: string) => void
}

export class Server {
  readonly #parts: Parts
  readonly #modes = new Map<number, Mode>()
  /** Connections that may be given up on without having said that they ended: they kept somebody waiting. */
  readonly #suspects = new Set<number>()
  readonly #carriedOut = new Map<number, number>()
  readonly #requests = new Map<number, number>()
  #forgets: Forgets = { at: 0, times: 0, words: "known" }

  constructor(parts: Parts) {
    this.#parts = parts
  }

  mode(connection: number, mode: Mode): void {
    this.#modes.set(connection, mode)
    this.#parts.verdicts.mode(connection, mode)
    if (mode !== "ok") this.#suspects.add(connection)
  }

  forget(forgets: Forgets): void {
    this.#forgets = forgets
  }

  isSilent(connection: number): boolean {
    return !["ok", "slow"].includes(this.#modes.get(connection) ?? "ok")
  }

  isSuspect(connection: number): boolean {
    return this.#suspects.has(connection)
  }

  respond(
    method: string,
    params: unknown,
    connection: ScriptedConnector.ScriptedConnection
  ): ScriptedConnector.Answer {
    const answer = this.#answer(method, params, connection)
    this.#parts.silence.answers(connection, answer, this.#parts.now())
    this.#parts.expiry.answers(connection.id, method, answer, this.#parts.now())
    this.#parts.verdicts.answers(connection.id, isCall(method), answer)
    return answer
  }

  #answer(
    method: string,
    params: unknown,
    connection: ScriptedConnector.ScriptedConnection
  ): ScriptedConnector.Answer {
    const { refusals } = this.#parts
    const mode = this.#modes.get(connection.id) ?? "ok"
    const isDeaf = isDoing(mode)
    if (!isDeaf && this.#forgetsAt(connection)) {
      const { at, times, words } = this.#forgets
      this.#forgets = { at, times: times - 1, words }
      if (words === "known") {
        connection.lose("session")
        const error = new RequestError({ fate: "rejected", reason: "session", message: "forgotten" })
        return { answer: "error", error }
      }
      refusals.forget(connection, words)
    }
    const refusal = isDeaf ? undefined : refusals.of(method, connection, mode === "ok" || mode === "slow")
    if (refusal !== undefined) this.#suspects.add(connection.id)
    if (isCall(method)) this.#parts.verdicts.sends(idOf(params), connection.id)
    if (method === "prompts/get" && !this.#parts.ignoresPings()) {
      this.#parts.silence.sends(idOf(params), connection, this.#parts.now())
    }
    if (method === "tools/call" && refusal?.carriedOut !== false) this.#carryOut(params, connection)
    return refusal === undefined
      ? inMode(mode, method, connection.id, this.#parts.grants)
      : { answer: "error", error: refusal.error }
  }

  #forgetsAt({ id, state }: ScriptedConnector.ScriptedConnection): boolean {
    const requests = this.#requests.get(id) ?? 0
    this.#requests.set(id, requests + 1)
    return this.#forgets.times > 0 && requests >= this.#forgets.at && state === "open"
  }

  #carryOut(params: unknown, connection: ScriptedConnector.ScriptedConnection): void {
    const id = idOf(params)
    this.#parts.silence.sends(id, connection, this.#parts.now())
    const times = (this.#carriedOut.get(id) ?? 0) + 1
    this.#carriedOut.set(id, times)
    if (times > 1) this.#parts.fault(`C3: call ${id} was carried out ${times} times`)
  }
}

const isCall = (method: string): boolean => method === "tools/call" || method === "prompts/get"

const idOf = (params: unknown): number =>
  Number((params as { readonly arguments: { readonly id: number | string } }).arguments.id)

const inMode = (mode: Mode, method: string, connection: number, grants: boolean): ScriptedConnector.Answer => {
  const result = method === "tools/list"
    ? { tools: [ScriptedConnector.tool(`tool-of-${connection}`)], ...(grants ? { ttlMs: timeToLive } : {}) }
    : undefined
  switch (mode) {
    case "ok":
      return { answer: "result", result }
    case "slow":
      return { answer: "result", result, after: 300 }
    case "late":
      return { answer: "result", result, after: 9000 }
    case "hang":
    case "works":
    case "stopped":
    case "still":
    case "waits":
      return { answer: "never" }
    case "broken":
      // Only what is of ours is waited for with a bound, whatever the connector does.
      return (method === "ping" || method === "tools/list") && connection % 2 === 0
        ? { answer: "stuck" }
        : { answer: "die" }
  }
}
