/**
 * The redirection endpoint of one login (RFC 6749, 3.1.2), and its page, if it has one.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Deferred, Effect, Runtime } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { LoginPage } from "./LoginPage.js"
import { page } from "./page.js"

/** `reply` shows the person how it ended. */
export interface Arrival {
  readonly parameters: URLSearchParams
  readonly reply: (text: string, ok: boolean) => Effect.Effect<void>
}

export const targetOf = (request: IncomingMessage): URL | undefined => parseUrl(request.url ?? "/", "http://localhost")

export const answer = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    connection: "close"
  })
  response.end(page(text, status === 200))
}

export const answerNothing = (response: ServerResponse): void => answer(response, 404, "There is nothing here.")

export const answerForeign = (response: ServerResponse): void =>
  answer(response, 400, "This is not the answer to the current login. Start the login again.")

export interface Options {
  readonly path: string
  /** Only the browser in which the login began there can finish it. */
  readonly loginPage: LoginPage | undefined
  readonly runtime: Runtime.Runtime<never>
}

export class RedirectEndpoint {
  readonly #options: Options
  #expected: { readonly state: string; readonly arrived: Deferred.Deferred<Arrival> } | undefined
  #isUsed = false

  constructor(options: Options) {
    this.#options = options
  }

  arrival(state: string): Effect.Effect<Arrival> {
    return Effect.flatMap(Deferred.make<Arrival>(), (arrived) => {
      this.#expected = { state, arrived }
      return Deferred.await(arrived)
    })
  }

  /** `origin`: of the server, as a browser names it. */
  handle(request: IncomingMessage, response: ServerResponse, target: URL, origin: string): void {
    const { loginPage, path, runtime } = this.#options
    const shown = loginPage?.answer(request, target.pathname, origin)
    if (shown !== undefined) return void response.writeHead(shown.status, { ...shown.headers }).end(shown.body)
    if (target.pathname !== path || request.method !== "GET") return answerNothing(response)
    const expected = this.#expected
    if (expected === undefined || target.searchParams.get("state") !== expected.state) return answerForeign(response)
    if (loginPage?.isOwn(request) === false) {
      return answer(response, 400, "This login was begun in another browser, and can be finished only there.")
    }
    if (this.#isUsed) return answer(response, 400, "This login is over already.")
    this.#isUsed = true
    Runtime.runFork(runtime)(Deferred.succeed(expected.arrived, {
      parameters: target.searchParams,
      reply: (text, ok) =>
        Effect.async<void>((resume) => {
          response.once("close", () => resume(Effect.void))
          if (response.destroyed) resume(Effect.void)
          else answer(response, ok ? 200 : 400, text)
        }).pipe(Effect.timeout("1 second"), Effect.ignore)
    }))
  }
}
