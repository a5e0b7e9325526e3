import { Cause, Exit } from "effect"
import type { Server } from "./GatewayStatus.js"

const maxDurations = 200

export class CallCounts {
  #total = 0
  #failed = 0
  #givenUp = 0
  #inFlight = 0
  #answered = 0
  readonly #millis: Array<number> = []

  begin(): void {
    this.#total++
    this.#inFlight++
  }

  end(exit: Exit.Exit<unknown, unknown>, millis: number): void {
    this.#inFlight--
    if (Exit.isSuccess(exit)) this.#millis[this.#answered++ % maxDurations] = millis
    else if (Cause.isInterruptedOnly(exit.cause)) this.#givenUp++
    else this.#failed++
  }

  get counts(): Server["calls"] {
    const sorted = this.#millis.toSorted((a, b) => a - b)
    const median = sorted[Math.floor((sorted.length - 1) / 2)]
    return {
      total: this.#total,
      failed: this.#failed,
      givenUp: this.#givenUp,
      inFlight: this.#inFlight,
      p50Millis: median === undefined ? null : Math.round(median * 10) / 10
    }
  }
}
