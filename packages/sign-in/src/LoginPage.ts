/**
 * Only the browser that opens the page first can finish the login, so that nobody can hand the second half of theirs to somebody else. Who gets
 * the address before that can use it: the page says who the person is.
 */
import { Redacted } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { escaped, layout } from "./page.js"

export interface Person {
  /** As the one who asks for the login has made sure of it. */
  readonly identity: string
  /** Its owner may have chosen it, even the name of somebody else. */
  readonly name?: string | undefined
}

export interface Words {
  readonly person: Person
  readonly server: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Site {
  readonly prefix: string
  readonly cookiePrefix: string
  readonly cookieScope: string
}

const loopback: Site = { prefix: "/sign-in/", cookiePrefix: "", cookieScope: "Path=/" }

const isSame = (a: string, b: string): boolean => {
  const digest = (text: string) => createHash("sha256").update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

const secret = (): string => randomBytes(24).toString("base64url")

const cookieOf = ({ headers }: IncomingMessage, name: string): string => {
  for (const one of (headers.cookie ?? "").split(";")) {
    const text = one.trim()
    if (text.startsWith(`${name}=`)) return text.slice(name.length + 1)
  }
  return ""
}

export class LoginPage {
  readonly #words: Words
  readonly #site: Site
  readonly #path: Redacted.Redacted
  readonly #browser = Redacted.make(secret())
  /** Other logins of the same browser have their own: all ports of a host share cookies. */
  readonly #cookie: string
  #target: string | undefined
  #isOpened = false

  constructor(words: Words, site: Site = loopback) {
    this.#words = words
    this.#site = site
    this.#path = Redacted.make(site.prefix + secret())
    this.#cookie = `${site.cookiePrefix}lifeline-login-${randomBytes(8).toString("hex")}`
  }

  /** Nobody but the person may know it. */
  get path(): string {
    return Redacted.value(this.#path)
  }

  /** `target`: where the login goes on. */
  begin(target: string): void {
    this.#target = target
  }

  isOwn(request: IncomingMessage): boolean {
    return this.#isOpened && isSame(cookieOf(request, this.#cookie), Redacted.value(this.#browser))
  }

  /** `undefined` if the request is not for this page. `origin`: of this listener. */
  answer(request: IncomingMessage, path: string, origin: string): Answer | undefined {
    const target = this.#target
    if (target === undefined || !isSame(path, this.path)) return undefined
    if (this.#isOpened && !this.isOwn(request)) {
      return this.#page(
        400,
        "Opened already",
        "<p>This address was opened in another browser, and works only there. If that was not you, tell whoever "
          + "runs the gateway. For a new address, use the server once more.</p>"
      )
    }
    if (request.method === "GET") return this.#question()
    if (request.method !== "POST") return undefined
    // A page of another site must not press the button.
    if (request.headers.origin !== origin) {
      return this.#page(403, "Not signed in", "<p>Open the address itself, and press the button there.</p>")
    }
    this.#isOpened = true
    // In place of a redirect, which browsers compare with the policy for forms.
    const next = `<p>You are taken to the login. If not, <a href="${escaped(target)}">go on</a>.</p>`
    return this.#page(200, "Signing in", next, {
      refresh: target,
      cookie: `${this.#cookie}=${
        Redacted.value(this.#browser)
      }; ${this.#site.cookieScope}; HttpOnly; SameSite=Lax; Max-Age=900`
    })
  }

  #question(): Answer {
    const { person: { identity, name }, server } = this.#words
    // What others have written cannot turn the direction of what stands after it.
    const who = `<strong><bdi>${escaped(identity)}</bdi></strong>`
    const called = name === undefined ? "" : ` (called <q><bdi>${escaped(name)}</bdi></q>)`
    return this.#page(
      200,
      "Sign in",
      `<p>This lets ${who}${called} use the server <strong>${
        escaped(server)
      }</strong> as you: with the account with which you sign in now.</p>`
        + `<p>Go on only if you are ${who}, and have asked for this yourself.</p>`
        + `<form method="post"><button>Sign in</button></form>`
    )
  }

  #page(
    status: number,
    title: string,
    body: string,
    more: { readonly refresh?: string; readonly cookie?: string } = {}
  ): Answer {
    return {
      status,
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy":
          "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        // With "no-referrer", browsers would not say from where the form comes.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        connection: "close",
        ...(more.cookie === undefined ? {} : { "set-cookie": more.cookie })
      },
      body: layout(title, body, more.refresh)
    }
  }
}
