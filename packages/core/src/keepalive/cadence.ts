/**
 * When heartbeats are due: the interval, its jitter, and the moments that the backends of a fleet share. Pure: chance is
 * given as a number from 0 to 1.
 */
import { Duration } from "effect"
import type { Policy } from "../options/Policy.js"

const longest = Duration.toMillis("24 hours")

/** The interval that holds: half of `idleTtl` where that is shorter (K15), doubled for each objection to the rate. (K19) */
export const intervalOf = (policy: Policy, doublings: number): number => {
  const { idleTtl, interval } = policy.keepalive
  const half = typeof idleTtl === "number" ? idleTtl / 2 : Number.POSITIVE_INFINITY
  const shortest = Math.min(interval, half)
  const bound = Number.isFinite(half) ? half : longest
  return Math.min(shortest * 2 ** doublings, Math.max(bound, shortest))
}

/** A duration drawn from its last quarter. */
export const jittered = (draw: number, millis: number): number => Math.ceil((0.75 + draw / 4) * millis)

/** When the next heartbeat is due, given when the server last answered. */
export interface Due {
  readonly from: number
  readonly interval: number
  /** The first heartbeat of a connection is drawn from the whole interval, so that backends that connect together spread. */
  readonly first: boolean
  readonly draw: number
  /** Where the grid of the fleet begins; undefined for a backend on its own. */
  readonly gridStart: number | undefined
}

/** The moment of the next heartbeat: in the last quarter of the interval from the last answer, or anywhere in the first. (K6) */
export const dueAt = ({ draw, first, from, gridStart, interval }: Due): number => {
  const earliest = from + (first ? 1 : 0.75 * interval)
  const drawn = from + (first ? Math.ceil(interval * (1 - draw)) : jittered(draw, interval))
  return alignToGrid(drawn, earliest, interval, gridStart)
}

/** Milliseconds from one moment of a grid to the next: each divides a second, so that all seconds hold as many. (K6) */
const steps = [1000, 500, 200, 100, 50, 20, 10]

/**
 * The moment that was drawn, or the moment of the grid before it. Thousands of idle backends then share the moments at which
 * their timers wake the process, which costs more than a heartbeat. The grid begins with the fleet, so that no two processes
 * have it in common.
 */
const alignToGrid = (drawn: number, earliest: number, interval: number, gridStart: number | undefined): number => {
  const step = steps.find((millis) => millis <= interval / 300)
  if (gridStart === undefined || step === undefined) return drawn
  const at = drawn - (drawn - gridStart) % step
  return at >= earliest ? at : drawn
}
