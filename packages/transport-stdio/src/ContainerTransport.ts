/**
 * Starts its process only when earlier containers have been removed: two never run at once, and ports and the name that the user has given
 * are free.
 */
import { type Options, StdioTransport } from "./StdioTransport.js"

export class ContainerTransport extends StdioTransport {
  readonly #ending: ReadonlySet<Promise<void>>
  #isWaiting = false

  constructor(options: Options, ending: ReadonlySet<Promise<void>>) {
    super(options)
    this.#ending = ending
  }

  override async start(): Promise<void> {
    this.#isWaiting = true
    // Each of them gives up after a time.
    while (this.#ending.size > 0) await Promise.all(this.#ending)
    this.#isWaiting = false
    return super.start()
  }

  override describe(): string | undefined {
    return this.#isWaiting ? "the container of the process before is being stopped and removed" : super.describe()
  }
}
