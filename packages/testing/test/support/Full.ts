/**
 * How much of a test that could go on for ever is run. `.ci/run` sets `LIFELINE_FULL`; without it there is less, so that `pnpm test` takes
 * minutes.
 */
export const isFull = process.env["LIFELINE_FULL"] !== undefined

/** The first where everything is run, else the second. */
export const inFull = (all: number, some: number): number => isFull ? all : some
