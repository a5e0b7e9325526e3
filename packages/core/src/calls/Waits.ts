/** The calls that wait, counted in the step in which each begins or ends to. */
export class Waits {
  /** For a connection, in milliseconds. */
  readonly connections = new Set<{ readonly millis: number }>()
  forVerdicts = 0
  forTurns = 0
  onAwaited: (() => void) | undefined
  readonly #demandInterval: number

  constructor(demandInterval: number) {
    this.#demandInterval = demandInterval
  }

  get forConnections(): number {
    return this.connections.size
  }

  get unsent(): number {
    return this.connections.size + this.forVerdicts
  }

  get isAwaited(): boolean {
    return this.unsent > 0
  }

  /** In milliseconds, of those in which an attempt can be made. */
  get shortest(): number {
    let shortest = Number.POSITIVE_INFINITY
    for (const { millis } of this.connections) {
      if (millis >= this.#demandInterval) shortest = Math.min(millis, shortest)
    }
    return shortest
  }
}
