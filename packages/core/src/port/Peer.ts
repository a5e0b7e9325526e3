/** What a connection is connected to, for people. */
import type { StateName } from "../lifecycle/States.js"
import type { ResourceUsage } from "./ResourceUsage.js"

/** One of several processes of a server, at one moment. */
export interface ProcessStatus {
  /** Counted from 1; a process that takes the place of another one has its number. */
  readonly number: number
  /** Its id, while it is connected. */
  readonly pid: number | undefined
  readonly state: StateName
  /** How many connections were made for this number. */
  readonly generation: number
  /** How many requests it is working on. */
  readonly inFlight: number
  /** What it uses of this machine, as measured last. */
  readonly usage: ResourceUsage | undefined
  /** Why it is or was down; cleared when it is stable. */
  readonly lastError: string | undefined
  /** When the next attempt is due, in milliseconds since the epoch; `undefined` if none is. */
  readonly nextAttemptAt: number | undefined
}

/** What the connection is connected to, for people: the process, or the address without credentials. */
export interface Peer {
  /** The id of the process that the connector started. */
  readonly pid?: number | undefined
  /** The processes, if there are several (`processes`). Each reading gives them as they are then. */
  readonly processes?: ReadonlyArray<ProcessStatus> | undefined
  /** The address of a server over HTTP. */
  readonly url?: string | undefined
}
