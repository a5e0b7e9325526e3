/**
 * What a browser does with the address of a login that begins at a page of its own: opens it, presses the button, logs in, and comes back.
 */

/** What a browser was answered. */
export interface Answered {
  readonly status: number
  readonly text: string
}

/** A browser of somebody who has an account at the authorization server. */
export class Browser {
  readonly #account: string
  readonly #fetch: typeof fetch
  /** By host, as browsers keep them: not by port. */
  readonly #cookies = new Map<string, string>()

  /** `send`: how it reaches hosts. Default: as everybody does. */
  constructor(account: string, send: typeof fetch = fetch) {
    this.#account = account
    this.#fetch = send
  }

  async #send(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const headers = { ...init.headers, "x-account": this.#account, ...(cookie === "" ? {} : { cookie }) }
    const response = await this.#fetch(url, { ...init, redirect: "manual", headers })
    for (const one of response.headers.getSetCookie()) {
      const [name = "", value = ""] = (one.split(";")[0] ?? "").split("=")
      this.#cookies.set(name, value)
    }
    return response
  }

  async get(url: string): Promise<Answered> {
    const response = await this.#send(url)
    return { status: response.status, text: await response.text() }
  }

  /** Presses the button of the page. `origin`: where that page is. */
  async press(url: string, origin = new URL(url).origin): Promise<Answered> {
    const response = await this.#send(url, { method: "POST", headers: { origin } })
    return { status: response.status, text: await response.text() }
  }

  /** Where the authorization server sends the browser. */
  async authorize(url: string): Promise<string> {
    return (await this.#send(url)).headers.get("location") ?? ""
  }

  /** The address at the authorization server to which a page leads. */
  static next({ text }: Answered): string {
    const [, url = ""] = /content="0;url=([^"]+)"/.exec(text) ?? []
    return url.replaceAll("&#38;", "&")
  }

  /** The whole way. Returns what the browser shows at the end. */
  async logIn(address: string): Promise<Answered> {
    await this.get(address)
    return this.get(await this.authorize(Browser.next(await this.press(address))))
  }
}
