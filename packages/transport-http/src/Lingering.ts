/** Answered streams that wait for the server to end them, so that their sockets can be reused. They close as soon as a call has no socket. */

/** In milliseconds. */
const usual = 1000

export class Lingering {
  readonly #sockets: number
  readonly #millis: number
  /** With or without a socket, including those whose streams linger. */
  #calls = 0
  readonly #streams = new Set<() => void>()

  /** `sockets`: that calls share. `millis`: how long a stream lingers if no call waits; default 1000. */
  constructor(sockets: number, millis = usual) {
    this.#sockets = sockets
    this.#millis = millis
  }

  /** Returns what to call when the socket is free. */
  begins(): () => void {
    this.#calls++
    const [oldest] = this.#streams
    if (this.#isCrowded) oldest?.()
    return () => {
      this.#calls--
    }
  }

  /** Closes a stream after its time, or when a call needs its socket. Returns how to forget it. */
  linger(close: () => void): () => void {
    if (this.#isCrowded) {
      close()
      return () => {}
    }
    const forget = (): void => {
      clearTimeout(timer)
      this.#streams.delete(end)
    }
    const end = (): void => {
      forget()
      close()
    }
    const timer = setTimeout(end, this.#millis)
    this.#streams.add(end)
    return forget
  }

  get #isCrowded(): boolean {
    return this.#calls > this.#sockets
  }
}
