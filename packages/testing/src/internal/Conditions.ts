/** Conditions that tests wait for. */
export class Conditions {
  readonly #waiting = new Set<() => void>()

  /** Resolves as soon as the condition holds at a `check`, or now. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Something has happened. */
  check(): void {
    for (const look of [...this.#waiting]) look()
  }
}
