/** A server that refuses in words which may mean that it has forgotten the session, whether it has or not. */
import { type ConnectOptions, type Event, RequestError } from "@mcp-lifeline/core"
import type { ScriptedConnector } from "@mcp-lifeline/testing"

export type Fate = "rejected" | "answered"

export interface Refused {
  readonly what: "nothing" | "calls" | "everything"
  readonly fate: Fate
}

interface Refusal {
  readonly error: RequestError
  readonly carriedOut: boolean
}

const errors: { readonly [K in Fate]: RequestError } = {
  rejected: new RequestError({
    fate: "rejected",
    reason: "unauthorized",
    message: "scripted refusal: HTTP 401",
    ifSessionLost: "rejected"
  }),
  answered: new RequestError({
    fate: "answered",
    reason: "remote",
    code: -32603,
    message: "scripted refusal: internal error",
    ifSessionLost: "answered"
  })
}

export class Refusals {
  readonly #fault: (what: string) => void
  /** It has refused everything to every session: what it forgets later cannot be told from that. */
  #indistinct = false
  #refused: Refused = { what: "nothing", fate: "rejected" }
  readonly #forgotten = new Map<number, Fate>()
  readonly #refusedLists = new Set<number>()
  readonly #proven = new Set<number>()
  #listGiven = true

  constructor(fault: (what: string) => void) {
    this.#fault = fault
  }

  refuse(refused: Refused): void {
    this.#refused = refused
    if (refused.what === "everything") this.#indistinct = true
  }

  forget({ session }: ScriptedConnector.ScriptedConnection, fate: Fate): void {
    this.#forgotten.set(session.id, fate)
  }

  withoutLists(connection: number): boolean {
    return this.#refusedLists.has(connection)
  }

  isOffered(resume: ConnectOptions["resume"]): boolean {
    const session = resume?.knows as { readonly id: number } | undefined
    return session !== undefined && this.#forgotten.has(session.id)
  }

  /** `answers`: whether the server answers soon what it does not refuse. */
  of(method: string, connection: ScriptedConnector.ScriptedConnection, answers: boolean): Refusal | undefined {
    const forgotten = this.#forgotten.get(connection.session.id)
    const { fate, what } = this.#refused
    const refuses = what === "everything" || (what === "calls" && method === "tools/call")
    if (forgotten === undefined && !refuses) {
      if (method === "tools/list") {
        this.#listGiven = true
        if (answers) this.#proven.add(connection.session.id)
      }
      return undefined
    }
    if (method === "tools/list") this.#refusedLists.add(connection.id)
    return { error: errors[forgotten ?? fate], carriedOut: forgotten === undefined && fate === "answered" }
  }

  lost(connection: number, { generation, loss }: Extract<Event.Event, { readonly _tag: "RuntimeLost" }>): void {
    if (loss.kind !== "session" || !loss.message.includes("scripted refusal")) return
    if (!this.withoutLists(connection)) {
      this.#fault(`R12: generation ${generation}, which gave its lists, was replaced for a doubt`)
    }
    if (!this.#listGiven) {
      this.#fault(
        `R12: generation ${generation} was replaced for a doubt, as the one before it, and gave no list between`
      )
    }
    this.#listGiven = false
  }

  settled(connection: ScriptedConnector.ScriptedConnection): void {
    const { id } = connection.session
    if (!this.#indistinct && this.#proven.has(id) && this.#forgotten.has(id)) {
      this.#fault(`R12: the session of connection ${connection.id} is forgotten, and still the current one`)
    }
  }
}
