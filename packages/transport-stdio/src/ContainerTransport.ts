/**
 * A transport whose process runs a container. It starts its process only when the containers of earlier ones have been removed, so that
 * two never run at once, and ports and the name that the user has given are free again.
 */
import { type Options, StdioTransport } from "./StdioTransport.js"

export class ContainerTransport extends StdioTransport {
  readonly #ending: ReadonlySet<Promise<void>>
  #isWaiting = false

  /** `ending`: the removals that are under way, of all containers of one connector. */
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
