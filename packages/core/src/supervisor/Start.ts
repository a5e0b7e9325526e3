/**
 * One start of a server, which may take longer than the attempt that has begun it.
 */
import { constFalse } from "effect/Function"
import { formatMillis } from "../internal/formatMillis.js"
import type { ConnectOptions } from "../port/Connector.js"
import type { Runtime } from "../runtime/Runtime.js"

/** A runtime that is being connected, and what its connector says of that. */
export class Start {
  readonly runtime: Runtime
  /** When it began, on the Clock's scale. */
  readonly since: number
  readonly #limit: number
  #describe: () => string | undefined = nothing
  #isSigningIn: () => boolean = constFalse

  /** `limit`: how long it may take, in milliseconds; undefined if it ends with its attempt. */
  constructor(runtime: Runtime, at: number, limit: number | undefined) {
    this.runtime = runtime
    this.since = at
    this.#limit = limit ?? 0
  }

  /** Whether it may outlive its attempt. */
  get goesOn(): boolean {
    return this.#limit > 0
  }

  /** How long it may still take. */
  left(now: number): number {
    return this.since + this.#limit - now
  }

  /** What the connector says of it from now on. */
  readonly onAttempt: NonNullable<ConnectOptions["onAttempt"]> = (describe, isSigningIn) => {
    this.#describe = describe
    this.#isSigningIn = isSigningIn === undefined ? constFalse : () => isTrue(isSigningIn)
  }

  /** Whether somebody is signing in. */
  readonly isSigningIn = (): boolean => this.#isSigningIn()

  /** That an attempt has ended without it, in words. */
  timedOut(now: number, millis: number): string {
    const known = inWords(this.#describe)
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

/** What a connector has to say of an attempt that takes too long, where it can say it. */
const inWords = (describe: () => string | undefined): string | undefined => {
  try {
    return describe()
  } catch {
    return undefined
  }
}

/** What a connector says, where it can say it. */
const isTrue = (said: () => boolean): boolean => {
  try {
    return said()
  } catch {
    return false
  }
}

const nothing = (): string | undefined => undefined
