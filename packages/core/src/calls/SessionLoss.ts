/**
 * A lost session of which one call learns, before any is made on the next one. (C12)
 */
import { SessionExpired } from "../Errors.js"
import { open, said } from "../observe/Said.js"

/** Keeps the loss until a call has failed for it, however many connections are made before it comes. */
export class SessionLoss {
  #generation: number | undefined

  /** The session of a generation was lost. The first one counts: callers know what they have built there. */
  lost(generation: number): void {
    this.#generation ??= generation
  }

  /** Nobody has to learn of it. */
  forget(): void {
    this.#generation = undefined
  }

  /** What the next call fails with, once. */
  take(backend: string, newGeneration: number): SessionExpired | undefined {
    const generation = this.#generation
    if (generation === undefined) return undefined
    this.#generation = undefined
    return new SessionExpired({
      backend,
      generation,
      newGeneration,
      ...said`${
        open(backend)
      }: the call was not sent, because the session of generation ${generation} was lost, and generation ${newGeneration} knows nothing of it. Rebuild what the server kept for you, then call again`
    })
  }
}
