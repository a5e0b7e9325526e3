/**
 * Where browsers come back to at a URL that others can reach, after the logins of people who are elsewhere. The logins of a gateway share it: each has a
 * page of its own, and its redirect is told from others by the `state`.
 *
 * It serves nothing itself: whoever has the URL passes requests on.
 */
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { isSecure } from "./addresses.js"
import type { LoginPage, Site } from "./LoginPage.js"
import { answer, answerForeign, answerNothing, RedirectEndpoint, targetOf } from "./RedirectEndpoint.js"
import type { RedirectListener } from "./RedirectListener.js"

/** All pages of logins are below it. */
const prefix = "/login/"

const callback = `${prefix}callback`

/** The part after the prefix, of a page or of the redirect. */
const form = /^\/login\/[\w-]*$/

/** Whether a path is one of a login, or of its redirect. */
export const isPath = (path: string): boolean => form.test(path)

/** What is looked up under it is found in a time that says nothing about secrets. */
const keyOf = (secret: string): string => createHash("sha256").update(secret).digest("base64url")

/** Whether logins may use a URL: codes and cookies go there. */
export const isUsable = (url: string): boolean => isSecure(new URL(url))

export class PublicRedirects {
  readonly #url: string
  readonly #origin: string
  /** What their pages have to know. */
  readonly site: Site
  /** By the paths of their pages, and by their states. */
  readonly #endpoints = new Map<string, RedirectEndpoint>()

  /** `url`: without a slash at its end. Its path is not in the requests. */
  constructor(url: string) {
    const { origin, pathname, protocol } = new URL(url)
    const path = pathname.replace(/\/$/, "")
    this.#url = url
    this.#origin = origin
    // Browsers take a cookie with this name only from the host itself, for the whole of it, and over TLS: no other host of its domain can plant one.
    this.site = protocol === "https:"
      ? { prefix, cookiePrefix: "__Host-", cookieScope: "Path=/; Secure" }
      : { prefix, cookiePrefix: "", cookieScope: `Path=${path}${prefix.slice(0, -1)}` }
  }

  /** Gets ready for one login, until the scope closes. */
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

  /** Whether a request is for one of the logins that wait here. */
  has(request: IncomingMessage): boolean {
    const target = targetOf(request)
    return target !== undefined && this.#find(target) !== undefined
  }

  /** Answers a request to one of its paths. */
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
