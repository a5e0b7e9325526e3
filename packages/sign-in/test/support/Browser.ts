export interface Answered {
  readonly status: number
  readonly text: string
}

export class Browser {
  readonly #account: string
  readonly #fetch: typeof fetch
  /** By host, as browsers keep them: not by port. */
  readonly #cookies = new Map<string, string>()

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

  async press(url: string, origin = new URL(url).origin): Promise<Answered> {
    const response = await this.#send(url, { method: "POST", headers: { origin } })
    return { status: response.status, text: await response.text() }
  }

  async authorize(url: string): Promise<string> {
    return (await this.#send(url)).headers.get("location") ?? ""
  }

  static next({ text }: Answered): string {
    const [, url = ""] = /content="0;url=([^"]+)"/.exec(text) ?? []
    return url.replaceAll("&#38;", "&")
  }

  async logIn(address: string): Promise<Answered> {
    await this.get(address)
    return this.get(await this.authorize(Browser.next(await this.press(address))))
  }
}
