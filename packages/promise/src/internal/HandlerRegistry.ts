/**
 * Programs with the official Client set handlers before they connect; with `connect`, only afterwards. So a request waits a second for a
 * handler whose capability was declared.
 */
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"

/** In milliseconds. */
const handlerWait = 1000

const capabilities: Readonly<Record<string, keyof ClientCapabilities>> = {
  "sampling/createMessage": "sampling",
  "elicitation/create": "elicitation",
  "roots/list": "roots"
}

export const capabilityOf = (method: string): string =>
  (Object.hasOwn(capabilities, method) ? capabilities[method] : undefined) ?? method.replace(/\/.*/s, "")

export class HandlerRegistry {
  readonly #declared: ClientCapabilities
  readonly #methods = new Set<string>()
  readonly #waiting = new Set<() => void>()

  constructor(declared: ClientCapabilities) {
    this.#declared = declared
  }

  add(method: string): void {
    this.#methods.add(method)
    for (const check of this.#waiting) check()
  }

  remove(method: string): void {
    this.#methods.delete(method)
  }

  /** Resolves when the handler is set, time is over, or the request is aborted; at once if the capability was not declared. */
  waitFor(method: string, signal: AbortSignal): Promise<void> {
    const capability = Object.hasOwn(capabilities, method) ? capabilities[method] : undefined
    if (capability === undefined || this.#declared[capability] === undefined || this.#methods.has(method)) {
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener("abort", done)
        this.#waiting.delete(check)
        resolve()
      }
      const check = (): void => {
        if (this.#methods.has(method)) done()
      }
      const timer = setTimeout(done, handlerWait)
      signal.addEventListener("abort", done, { once: true })
      this.#waiting.add(check)
    })
  }
}
