/**
 * The page at which one of several people begins their login. It ties the login to one browser: the one that opens the page first is the only one
 * that can finish it.
 *
 * So an address that was opened is of no use to anybody else, and nobody can hand the second half of their login, at the authorization server, to
 * somebody else. Who gets the address before it is opened can use it; the page says who the person is, so that nobody else goes on by mistake.
 */
import { Redacted } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { escaped, layout } from "./page.js"

/** One of several people who log in. */
export interface Person {
  /** Who it is, as the one who asks for the login has made sure of it. */
  readonly identity: string
  /** What it is called besides. Its owner may have chosen that, and so may take the name of somebody else. */
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

/** Where the page is served. */
export interface Site {
  /** What the path of a page begins with. */
  readonly prefix: string
  /** What the name of its cookie begins with. */
  readonly cookiePrefix: string
  /** For which requests browsers keep the cookie. */
  readonly cookieScope: string
}

/** A server of its own on this machine. */
const loopback: Site = { prefix: "/sign-in/", cookiePrefix: "", cookieScope: "Path=/" }

const isSame = (a: string, b: string): boolean => {
  const digest = (text: string) => createHash("sha256").update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

const secret = (): string => randomBytes(24).toString("base64url")

/** Where the value of a cookie begins and ends in a header is up to its sender. */
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
  /** Other logins of the same browser have cookies of their own: cookies of all ports of a host are in one place. */
  readonly #cookie: string
  #target: string | undefined
  #isOpened = false

  constructor(words: Words, site: Site = loopback) {
    this.#words = words
    this.#site = site
    this.#path = Redacted.make(site.prefix + secret())
    this.#cookie = `${site.cookiePrefix}lifeline-login-${randomBytes(8).toString("hex")}`
  }

  /** The path to which the person goes. Nobody else may know it. */
  get path(): string {
    return Redacted.value(this.#path)
  }

  /** From now on the page is shown; `target`: where the login goes on. */
  begin(target: string): void {
    this.#target = target
  }

  /** Whether a request comes from the browser in which the login was begun. */
  isOwn(request: IncomingMessage): boolean {
    return this.#isOpened && isSame(cookieOf(request, this.#cookie), Redacted.value(this.#browser))
  }

  /** The answer to a request; `undefined` if it is not for this page. `origin`: of this listener. */
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
