/**
 * What the processes of a server use of this machine, at one moment.
 */

/** What the processes of a server use of this machine, as measured at one moment. */
export interface ResourceUsage {
  /** Their memory, in bytes. */
  readonly memory: number
  /** Their processor time since the measurement before, in percent of one core. `undefined` for the first measurement. */
  readonly cpu: number | undefined
  /** Their processor time since they were started, in seconds. */
  readonly cpuTime: number
}
