/** One start of a server, which may outlast its attempt: then `RuntimeOwner` keeps it. */
import { constFalse, constUndefined } from "effect/Function"
import { formatMillis } from "../internal/formatMillis.js"
import { unlessThrown } from "../internal/unlessThrown.js"
import type { Report } from "../port/Report.js"
import type { Runtime } from "../runtime/Runtime.js"

export class Start {
  readonly runtime: Runtime
  /** On the Clock's scale. */
  readonly since: number
  readonly #limit: number
  #describe: () => string | undefined = constUndefined
  #isSigningIn: () => boolean = constFalse

  /** `limit`: milliseconds; `undefined` if it ends with its attempt. */
  constructor(runtime: Runtime, at: number, limit: number | undefined) {
    this.runtime = runtime
    this.since = at
    this.#limit = limit ?? 0
  }

  get goesOn(): boolean {
    return this.#limit > 0
  }

  /** Milliseconds. */
  left(now: number): number {
    return this.since + this.#limit - now
  }

  reported({ describe, isSigningIn }: Extract<Report, { _tag: "Attempt" }>): void {
    this.#describe = describe
    this.#isSigningIn = isSigningIn === undefined ? constFalse : () => unlessThrown(isSigningIn) === true
  }

  readonly isSigningIn = (): boolean => this.#isSigningIn()

  timedOut(now: number, millis: number): string {
    const known = unlessThrown(this.#describe)
    const what = this.#text(now, millis)
    return known === undefined ? what : `${what}: ${known}`
  }

  #text(now: number, millis: number): string {
    const inTime = `no connection within ${millis} ms (timeouts.connect)`
    if (!this.goesOn) return inTime
    const limit = formatMillis(this.#limit)
    return this.left(now) > 0
      ? `${inTime}; starting for ${rounded(now - this.since)}, which may take ${limit} (startLimit)`
      : `no connection within ${limit} (startLimit)`
  }
}

/** To the second, from one second on. */
const rounded = (millis: number): string => formatMillis(millis < 1000 ? millis : Math.floor(millis / 1000) * 1000)
