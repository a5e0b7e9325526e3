/**
 * The sessions of a fault server over HTTP, by id, and the end of those that idle.
 */

/** A session that lives. */
export interface HttpSession {
  readonly id: string
  /** The replica that made it, from 0, and that alone knows it. */
  readonly replica: number
  /** URIs of resources that the client has subscribed to. */
  readonly subscriptions: Set<string>
  /** The logging level that the client has asked for. */
  level: string | undefined
}

/** Sessions that live. Deleting one loses it: its next request is refused. */
export class HttpSessions extends Map<string, HttpSession> {
  /** Sessions that ended because they idled, in order. */
  readonly expired: Array<string> = []
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #onExpired: (id: string) => void

  constructor(onExpired: (id: string) => void) {
    super()
    this.#onExpired = onExpired
  }

  open(id: string, replica = 0): HttpSession {
    const session: HttpSession = { id, replica, subscriptions: new Set(), level: undefined }
    this.set(id, session)
    return session
  }

  /** Begins the idle time of a session anew; `ttl` in milliseconds, undefined for never. */
  use(id: string, ttl: number | undefined): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
    if (ttl === undefined || !this.has(id)) return
    const timer = setTimeout(() => {
      this.delete(id)
      this.expired.push(id)
      this.#onExpired(id)
    }, ttl)
    timer.unref()
    this.#timers.set(id, timer)
  }

  override delete(id: string): boolean {
    this.use(id, undefined)
    return super.delete(id)
  }

  override clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    super.clear()
  }
}
