/**
 * Computes when heartbeats are due: the interval, its jitter, and the moments that the backends of a fleet share. Pure: callers give the
 * random number, from 0 to 1.
 */
import { Duration } from "effect"
import type { Policy } from "../options/Policy.js"

const longest = Duration.toMillis("24 hours")

/** The interval in force: half of `idleTtl` if that is shorter (K15), doubled each time the server has objected to the rate. (K19) */
export const intervalOf = (policy: Policy, doublings: number): number => {
  const { idleTtl, interval } = policy.keepalive
  const half = typeof idleTtl === "number" ? idleTtl / 2 : Number.POSITIVE_INFINITY
  const shortest = Math.min(interval, half)
  const bound = Number.isFinite(half) ? half : longest
  return Math.min(shortest * 2 ** doublings, Math.max(bound, shortest))
}

/** A random duration between 75% and 100% of `millis`. */
export const jittered = (draw: number, millis: number): number => Math.ceil((0.75 + draw / 4) * millis)

/** When the next heartbeat is due, given when the server last answered. */
export interface Due {
  readonly from: number
  readonly interval: number
  /**
   * Whether this is the first heartbeat of a connection: it may be due at any time in the interval, so that backends that connect
   * together spread.
   */
  readonly first: boolean
  readonly draw: number
  /** When the grid of the fleet begins; undefined for a backend that belongs to no fleet. */
  readonly gridStart: number | undefined
}

/** When the next heartbeat is due: after 75% to 100% of the interval since the last answer; the first one after 0% to 100%. (K6) */
export const dueAt = ({ draw, first, from, gridStart, interval }: Due): number => {
  const earliest = from + (first ? 1 : 0.75 * interval)
  const drawn = from + (first ? Math.ceil(interval * (1 - draw)) : jittered(draw, interval))
  return alignToGrid(drawn, earliest, interval, gridStart)
}

/** Milliseconds between two moments of a grid. Each divides a second, so that every second has the same number of moments. (K6) */
const steps = [1000, 500, 200, 100, 50, 20, 10]

/**
 * The random moment, or the moment of the grid before it. Thousands of idle backends then share the moments at which their timers wake
 * the process, because waking it costs more than a heartbeat. The grid begins with the fleet, so that processes do not share a grid.
 */
const alignToGrid = (drawn: number, earliest: number, interval: number, gridStart: number | undefined): number => {
  const step = steps.find((millis) => millis <= interval / 300)
  if (gridStart === undefined || step === undefined) return drawn
  const at = drawn - (drawn - gridStart) % step
  return at >= earliest ? at : drawn
}
