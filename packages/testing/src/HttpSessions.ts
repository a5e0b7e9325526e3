export interface HttpSession {
  readonly id: string
  /** The replica, from 0, that alone knows it. */
  readonly replica: number
  /** URIs of subscribed resources. */
  readonly subscriptions: Set<string>
  level: string | undefined
}

/** Live sessions. If one is deleted, its next request is refused. */
export class HttpSessions extends Map<string, HttpSession> {
  /** Sessions that ended by idling, in order. */
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

  /** Restarts the idle time; `ttl` in milliseconds, undefined for never. */
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
