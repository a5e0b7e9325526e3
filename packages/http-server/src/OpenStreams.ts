/**
 * Streams of events and of changes. When who may use a server changes, those end whose credentials are not accepted any more, or stand for somebody else.
 * Calls that were allowed go on.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Authentication from "./Authentication.js"
import * as Caller from "./Caller.js"
import type { Refusal } from "./Refusal.js"

const streams = Symbol("OpenStreams")

type LetIn = IncomingMessage & { [streams]?: OpenStreams }

/** The answer stays open. `end` ends it, and must not throw. */
export const note = (request: object, response: ServerResponse, end: () => void): void =>
  (request as LetIn)[streams]?.add(request as IncomingMessage, response, end)

interface Open {
  readonly end: () => void
  /**
   * The last request of the same caller in the session, or else the stream's own: a client that has sent new credentials keeps the stream that it opened
   * with the old ones.
   */
  latest: IncomingMessage
}

const sessionOf = ({ headers }: IncomingMessage): string | undefined => headers["mcp-session-id"] as string | undefined

export class OpenStreams {
  readonly #check: Authentication.Authentication["check"]
  readonly #open = new Map<IncomingMessage, Open>()
  readonly #ofSessions = new Map<string, Set<Open>>()

  constructor({ check }: Pick<Authentication.Authentication, "check">) {
    this.#check = check
  }

  /** The answer to a GET stays open, any other if `note` says so. */
  letIn(request: LetIn, response: ServerResponse): void {
    const { subject } = Caller.of(request)
    for (const one of this.#ofSessions.get(sessionOf(request) ?? "") ?? []) {
      if (Caller.of(one.latest).subject === subject) one.latest = request
    }
    if (request.method !== "GET") return void (request[streams] = this)
    // Without headers, nothing can be ended in order.
    this.add(request, response, () => response.headersSent ? response.end() : response.destroy())
  }

  add(request: IncomingMessage, response: ServerResponse, end: () => void): void {
    const one: Open = { end, latest: request }
    const session = sessionOf(request)
    this.#open.set(request, one)
    if (session !== undefined) this.#ofSessions.set(session, (this.#ofSessions.get(session) ?? new Set()).add(one))
    response.on("close", () => {
      this.#open.delete(request)
      if (session === undefined) return
      const all = this.#ofSessions.get(session)
      all?.delete(one)
      if (all?.size === 0) this.#ofSessions.delete(session)
    })
  }

  recheck(): void {
    for (const [request, one] of this.#open) this.#recheck(request, one)
  }

  #recheck(request: IncomingMessage, one: Open): void {
    const { latest } = one
    const found = this.#check(latest)
    if (!(found instanceof Promise)) return this.#decide(request, latest, found)
    const decide = (end: () => void): void => {
      if (this.#open.get(request) !== one) return
      // The client may have sent other credentials meanwhile, which were not checked since the rules changed.
      if (one.latest === latest) end()
      else this.#recheck(request, one)
    }
    found.then((found) => decide(() => this.#decide(request, latest, found)), () => decide(() => this.#end(request)))
  }

  #decide(request: IncomingMessage, latest: IncomingMessage, found: Caller.Caller | Refusal): void {
    const { expiresAt = Number.POSITIVE_INFINITY, subject } = Caller.of(latest)
    if (!Authentication.isRefusal(found)) {
      if (found.subject !== subject) this.#end(request)
    } else if (Date.now() < expiresAt) this.#end(request)
    // Otherwise these credentials have expired, and the stream ends after a grace (`Caller.mayListen`).
  }

  #end(request: IncomingMessage): void {
    const one = this.#open.get(request)
    if (this.#open.delete(request)) one?.end()
  }
}
