/**
 * How long the lists of one connection hold, by what the server says of each (`ttlMs`). Pure but for what it remembers.
 */
import { Duration } from "effect"
import type { Kind } from "../catalog/Kind.js"

/** However little a server grants: its lists are not asked for more often, in milliseconds. */
export const shortest = Duration.toMillis("30 seconds")

/** However much it grants. */
const longest = Duration.toMillis("24 hours")

/** How often lists are polled of a server that does not say how long they hold, and no `refreshInterval` does. */
const usual = Duration.toMillis("5 minutes")

/** How long, in milliseconds, a list holds of which the server says `ttlMs`; undefined where it does not say so sensibly. */
export const timeToLive = (ttlMs: unknown): number | undefined =>
  typeof ttlMs === "number" && ttlMs >= 0 ? Math.min(Math.max(ttlMs, shortest), longest) : undefined

/** The shorter of two times, either of which may not be known. */
export const shorter = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

/**
 * Milliseconds until lists are polled again that hold for so long: at most `refreshInterval` or 5 min. `draw` in [0, 1) adds up to a fifth,
 * so that backends that connect together do not poll together.
 */
export const pollAfter = (
  timesToLive: ReadonlyArray<number>,
  refreshInterval: number | undefined,
  draw: number
): number => Math.min(Math.max(refreshInterval ?? usual, shortest), ...timesToLive) * (1 + draw / 5)

/** What was read of one list, as far as it matters here. */
interface Read {
  readonly kind: Kind
  readonly timeToLive: number | undefined
  readonly refused: string | undefined
}

/** Remembers until when each list holds. */
export class Freshness {
  readonly #lists = new Map<Kind, { readonly until: number; readonly timeToLive: number }>()
  /** When the first of them expires, on the Clock's scale. */
  #earliest = Number.POSITIVE_INFINITY

  /** Lists were read. One that was refused in place of that is asked for again later. */
  read(lists: ReadonlyArray<Read>, now: number): void {
    for (const { kind, refused, timeToLive } of lists) {
      const holds = timeToLive ?? (refused !== undefined && this.#lists.has(kind) ? usual : undefined)
      if (holds === undefined) this.#lists.delete(kind)
      else this.#lists.set(kind, { until: now + holds, timeToLive: holds })
    }
    this.#earliest = Math.min(Number.POSITIVE_INFINITY, ...Array.from(this.#lists.values(), ({ until }) => until))
  }

  /** Whether one of them is older than the server lets it become. */
  hasExpired(now: number): boolean {
    return now >= this.#earliest
  }

  /** Those that are. */
  expired(now: number): ReadonlyArray<Kind> {
    return [...this.#lists].flatMap(([kind, { until }]) => now >= until ? [kind] : [])
  }

  /** The same for lists of some kinds. */
  pollAfter(kinds: ReadonlyArray<Kind>, refreshInterval: number | undefined, draw: number): number {
    return pollAfter(kinds.flatMap((kind) => this.#lists.get(kind)?.timeToLive ?? []), refreshInterval, draw)
  }
}
