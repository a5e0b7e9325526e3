/**
 * Streams that have brought their answer, and wait for the server to end them, so that their sockets can be used again. They give way as soon
 * as a call has no socket.
 */

/** How long a stream may stay open that has carried what it was for, in milliseconds. */
const usual = 1000

/** The answered streams of one server, and the calls that share its sockets. */
export class Lingering {
  readonly #sockets: number
  readonly #millis: number
  /** Calls that have a socket or wait for one, with those whose streams linger. */
  #calls = 0
  readonly #streams = new Set<() => void>()

  /** `sockets`: how many calls share. `millis`: how long a stream lingers where nobody waits for its socket; default 1000. */
  constructor(sockets: number, millis = usual) {
    this.#sockets = sockets
    this.#millis = millis
  }

  /** A call begins. Gives what is to be called when its socket is free again. */
  begins(): () => void {
    this.#calls++
    const [oldest] = this.#streams
    if (this.#isCrowded) oldest?.()
    return () => {
      this.#calls--
    }
  }

  /** Closes an answered stream after its time, or as soon as a call waits for its socket. Gives what forgets it. */
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
