export class Conditions {
  readonly #waiting = new Set<() => void>()

  /** Resolves once the condition holds, now or at a `check`. */
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

  check(): void {
    for (const look of [...this.#waiting]) look()
  }
}
