/**
 * How much is tested. `pnpm test` leaves out the slow files and takes minutes; `.ci/run` sets `LIFELINE_SLOW` and runs them, too; `pnpm test:all`
 * sets `LIFELINE_FULL`, with which what could go on for ever goes on for longer.
 */
export const isFull = process.env["LIFELINE_FULL"] !== undefined

/** Whether files of slow tests are run. */
export const hasSlow = isFull || process.env["LIFELINE_SLOW"] !== undefined

/** The first where everything is run, else the second. */
export const inFull = (all: number, some: number): number => isFull ? all : some
