export interface Loss {
  /**
   * `session`: the server answers, but no longer knows it. `closed`: the transport has ended. `health`: requests or probes failed.
   * `keepalive`: heartbeats had no answer. `memory`: over `maxMemory`; calls in flight may finish. A connection reports the first
   * two; the core decides the others.
   */
  readonly kind: "session" | "closed" | "health" | "keepalive" | "memory"
  /** With `session`: nothing was forgotten, the server only runs elsewhere now. Metrics count it as `moved`. */
  readonly isMove?: boolean | undefined
  /** The server neither reads nor works: closing gives it no time to end by itself. Default false. */
  readonly isWedged?: boolean | undefined
  /** One line, with exit code, signal or status where there is one. */
  readonly message: string
  /** Asked for by the server, in milliseconds. */
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}

interface Consequences {
  /** Milliseconds for calls in flight, within `timeouts.drain`. */
  readonly drain: number
  /** Without backoff, but in turn among new sessions. */
  readonly isAtOnce: boolean
  /** An attempt follows also without `reconnect.auto`, and no failure is counted. */
  readonly isWanted: boolean
  /** The next connection may go on with its session. */
  readonly keepsSession: boolean
}

const dead: Consequences = { drain: 0, isAtOnce: false, isWanted: false, keepsSession: true }

export const losses: Readonly<Record<Loss["kind"], Consequences>> = {
  closed: dead,
  health: dead,
  keepalive: dead,
  // The server refuses the calls by itself; one that is cut off may have been carried out.
  session: { drain: 3000, isAtOnce: true, isWanted: false, keepsSession: false },
  memory: { drain: Number.POSITIVE_INFINITY, isAtOnce: true, isWanted: true, keepsSession: false }
}

/** Told once, to a listener that may come later. See `Connection.onLost`. */
export class Ending {
  #known: { readonly loss?: Loss; readonly listener?: (loss: Loss) => void } = {}

  get loss(): Loss | undefined {
    return this.#known.loss
  }

  get isHeard(): boolean {
    return this.#known.listener !== undefined
  }

  /** The first loss counts, also where another follows before `tell`. False for that one. */
  claim(loss: Loss): boolean {
    if (this.loss !== undefined) return false
    this.#known = { ...this.#known, loss }
    return true
  }

  tell(): void {
    const { listener, loss } = this.#known
    if (loss !== undefined) listener?.(loss)
  }

  lose(loss: Loss): void {
    if (this.claim(loss)) this.tell()
  }

  readonly onLost = (listener: (loss: Loss) => void): void => {
    this.#known = { ...this.#known, listener }
    this.tell()
  }
}
