/**
 * Handlers of requests that servers make: a request that comes before a handler that was declared waits for it a while. A
 * program that uses the official Client sets its handlers before it connects; with `connect` it can only do so afterwards.
 */
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"

/** How long a request waits for a handler that was declared but is not there yet, in milliseconds. */
const handlerWait = 1000

const capabilities: Readonly<Record<string, keyof ClientCapabilities>> = {
  "sampling/createMessage": "sampling",
  "elicitation/create": "elicitation",
  "roots/list": "roots"
}

/** The capability that a handler of a method needs. */
export const capabilityOf = (method: string): string =>
  (Object.hasOwn(capabilities, method) ? capabilities[method] : undefined) ?? method.replace(/\/.*/s, "")

/** Which handlers are there. */
export class Arrivals {
  readonly #declared: ClientCapabilities
  readonly #there = new Set<string>()
  readonly #waiting = new Set<() => void>()

  constructor(declared: ClientCapabilities) {
    this.#declared = declared
  }

  add(method: string): void {
    this.#there.add(method)
    for (const look of this.#waiting) look()
  }

  remove(method: string): void {
    this.#there.delete(method)
  }

  /** Ends when the handler is there, the time is over or the request is given up; at once where it was not declared. */
  wait(method: string, signal: AbortSignal): Promise<void> {
    const capability = Object.hasOwn(capabilities, method) ? capabilities[method] : undefined
    if (capability === undefined || this.#declared[capability] === undefined || this.#there.has(method)) {
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener("abort", done)
        this.#waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (this.#there.has(method)) done()
      }
      const timer = setTimeout(done, handlerWait)
      signal.addEventListener("abort", done, { once: true })
      this.#waiting.add(look)
    })
  }
}
