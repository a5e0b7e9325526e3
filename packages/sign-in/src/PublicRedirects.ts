/**
 * A URL that others can reach, to which browsers come back. The logins of a gateway share it: each has its own page, and its redirect is told apart by
 * the `state`.
 */
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { isSecure } from "./addresses.js"
import type { LoginPage, Site } from "./LoginPage.js"
import { answer, answerForeign, answerNothing, RedirectEndpoint, targetOf } from "./RedirectEndpoint.js"
import type { RedirectListener } from "./RedirectListener.js"

const prefix = "/login/"

const callback = `${prefix}callback`

const form = /^\/login\/[\w-]*$/

export const isPath = (path: string): boolean => form.test(path)

/** Looked up in a time that says nothing about secrets. */
const keyOf = (secret: string): string => createHash("sha256").update(secret).digest("base64url")

/** Codes and cookies go there. */
export const isUsable = (url: string): boolean => isSecure(new URL(url))

export class PublicRedirects {
  readonly #url: string
  readonly #origin: string
  readonly site: Site
  readonly #endpoints = new Map<string, RedirectEndpoint>()

  /** `url`: without a slash at its end. Its path is not in the requests. */
  constructor(url: string) {
    const { origin, pathname, protocol } = new URL(url)
    const path = pathname.replace(/\/$/, "")
    this.#url = url
    this.#origin = origin
    // Browsers take a `__Host-` cookie only from the host itself, and over TLS: no other host of its domain can plant one.
    this.site = protocol === "https:"
      ? { prefix, cookiePrefix: "__Host-", cookieScope: "Path=/; Secure" }
      : { prefix, cookiePrefix: "", cookieScope: `Path=${path}${prefix.slice(0, -1)}` }
  }

  /** For one login, until the scope closes. */
  listener(loginPage: LoginPage | undefined): Effect.Effect<RedirectListener, never, Scope.Scope> {
    return Effect.gen(this, function*() {
      const runtime = yield* Effect.runtime()
      const endpoint = new RedirectEndpoint({ path: callback, loginPage, runtime })
      const add = (secret: string) =>
        Effect.acquireRelease(
          Effect.sync(() => void this.#endpoints.set(keyOf(secret), endpoint)),
          () => Effect.sync(() => void this.#endpoints.delete(keyOf(secret)))
        )
      if (loginPage !== undefined) yield* add(loginPage.path)
      return {
        base: this.#url,
        redirect: this.#url + callback,
        arrival: (state) => Effect.scoped(Effect.zipRight(add(state), endpoint.arrival(state)))
      }
    })
  }

  has(request: IncomingMessage): boolean {
    const target = targetOf(request)
    return target !== undefined && this.#find(target) !== undefined
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const target = targetOf(request)
    if (target === undefined) return answer(response, 400, "This address is not valid.")
    const found = this.#find(target)
    if (found !== undefined) found.handle(request, response, target, this.#origin)
    else if (target.pathname === callback) answerForeign(response)
    else answerNothing(response)
  }

  #find({ pathname, searchParams }: URL): RedirectEndpoint | undefined {
    const secret = pathname === callback ? searchParams.get("state") : pathname
    return secret === null ? undefined : this.#endpoints.get(keyOf(secret))
  }
}
