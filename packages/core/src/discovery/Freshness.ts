import { Clock, Duration, Effect, Random } from "effect"
import type { Kind } from "../catalog/Kind.js"
import { formatMillis } from "../internal/Time.js"

/** Milliseconds between readings, however little a server grants. */
export const shortest = Duration.toMillis("30 seconds")

const longest = Duration.toMillis("24 hours")

/** If neither the server nor `refreshInterval` says. */
const usual = Duration.toMillis("5 minutes")

/** Milliseconds; `undefined` if the server says nothing sensible. */
export const timeToLive = (ttlMs: unknown): number | undefined =>
  typeof ttlMs === "number" && ttlMs >= 0 ? Math.min(Math.max(ttlMs, shortest), longest) : undefined

export const shorter = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

/** Milliseconds. `draw` in [0, 1) adds up to a fifth: backends do not poll together. */
export const pollAfter = (
  timesToLive: ReadonlyArray<number>,
  refreshInterval: number | undefined,
  draw: number
): number => Math.min(Math.max(refreshInterval ?? usual, shortest), ...timesToLive) * (1 + draw / 5)

/** `after`: milliseconds from now, fewer once the server has said how long its lists hold. */
export const pollPause = (after: (draw: number) => number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const draw = yield* Random.next
    const since = yield* Clock.currentTimeMillis
    while (true) {
      const rest = since + after(draw) - (yield* Clock.currentTimeMillis)
      if (rest <= 0) return
      yield* Effect.sleep(Math.ceil(Math.min(rest, shortest)))
    }
  })

/** When an announcement was last heard, and the pause from then; in milliseconds. */
export interface Pace {
  readonly at: number
  readonly pause: number
}

export const unpaced: Pace = { at: Number.NEGATIVE_INFINITY, pause: 0 }

export const longestPause = Duration.toMillis("1 minute")

/** So long after one, it was the last. */
const quiet = Duration.toMillis("10 seconds")

/** The first is heard at once, those that go on after pauses that double. */
export const paced = (before: Pace, now: number, least: number): Pace => {
  const pause = Math.max(before.pause, least)
  const goesOn = now >= before.at && now < before.at + Math.max(quiet, least)
  return goesOn
    ? { at: Math.max(now, before.at + pause), pause: Math.min(2 * pause, Math.max(longestPause, least)) }
    : { at: now, pause: least }
}

export const restless =
  `the server keeps announcing that its lists have changed, sooner than ${formatMillis(quiet)} after they were read. ` +
  `They are read less and less often, in the end once in ${formatMillis(longestPause)}; a server should announce a ` +
  "change only where there is one"

interface Read {
  readonly kind: Kind
  readonly timeToLive: number | undefined
  readonly refused: unknown
}

export type Freshness = ReadonlyMap<Kind, { readonly until: number; readonly timeToLive: number }>

export const none: Freshness = new Map()

export const read = (before: Freshness, lists: ReadonlyArray<Read>, now: number): Freshness => {
  const after = new Map(before)
  for (const { kind, refused, timeToLive } of lists) {
    const holds = timeToLive ?? (refused !== undefined && before.has(kind) ? usual : undefined)
    if (holds === undefined) after.delete(kind)
    else after.set(kind, { until: now + holds, timeToLive: holds })
  }
  return after
}

export const expired = (lists: Freshness, now: number): ReadonlyArray<Kind> =>
  [...lists].flatMap(([kind, { until }]) => now >= until ? [kind] : [])

export const timesToLive = (lists: Freshness, kinds: ReadonlyArray<Kind>): ReadonlyArray<number> =>
  kinds.flatMap((kind) => lists.get(kind)?.timeToLive ?? [])
