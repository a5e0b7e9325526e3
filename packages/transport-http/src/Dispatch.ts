/** Whether a request was given to a socket: before that, nothing of it can have left. */
export class Dispatch {
  #state: "waiting" | "dispatched" | "withdrawn" = "waiting"
  /** Called each time. */
  onBegin: (() => void) | undefined

  static readonly done = (): Dispatch => {
    const dispatch = new Dispatch()
    dispatch.begin()
    return dispatch
  }

  /** Called before the first byte can leave. False if the request was withdrawn: then nothing may be sent. */
  begin(): boolean {
    if (this.#state === "withdrawn") return false
    if (this.#state === "waiting") this.onBegin?.()
    this.#state = "dispatched"
    return true
  }

  /** The server has turned the request away, and it will be sent again, with other credentials or to another address. */
  again(): void {
    if (this.#state === "dispatched") this.#state = "waiting"
  }

  /** True if nothing has left; then nothing will. */
  withdraw(): boolean {
    if (this.#state === "dispatched") return false
    this.#state = "withdrawn"
    return true
  }

  get isDone(): boolean {
    return this.#state === "dispatched"
  }
}
