/**
 * Whether a request was given to a socket, as the layer that sends it knows: before, nothing of it can have left.
 */
export class Dispatch {
  #state: "waiting" | "dispatched" | "withdrawn" = "waiting"
  /** Called each time it is given to a socket. */
  onBegin: (() => void) | undefined

  /** One that has been given to a socket. */
  static readonly done = (): Dispatch => {
    const dispatch = new Dispatch()
    dispatch.begin()
    return dispatch
  }

  /** Called before the first byte can leave. False where the request was withdrawn: then nothing of it may be sent. */
  begin(): boolean {
    if (this.#state === "withdrawn") return false
    if (this.#state === "waiting") this.onBegin?.()
    this.#state = "dispatched"
    return true
  }

  /** The server has turned the request away, and it is about to be sent once more: with other credentials, or to another address. */
  again(): void {
    if (this.#state === "dispatched") this.#state = "waiting"
  }

  /** Nobody wants it any more. True where nothing of it has left; then nothing will. */
  withdraw(): boolean {
    if (this.#state === "dispatched") return false
    this.#state = "withdrawn"
    return true
  }

  /** Whether a part of it may have left. */
  get isDone(): boolean {
    return this.#state === "dispatched"
  }
}
