/**
 * The gateway as its API sees it: what it serves, and what has happened so far.
 */
import type { Fleet } from "@mcp-lifeline/core"
import { Clock, Effect, type Scope } from "effect"
import type { OwnRuntimes } from "../serve/OwnRuntimes.js"
import type * as SignIn from "../sign-in/SignIn.js"
import * as Record from "./Record.js"

/** What the API needs to know beside the fleet. */
export interface About {
  readonly record: Record.Record
  /** In milliseconds since 1970. */
  readonly startedAt: number
  /** The file that the servers are read from. */
  readonly config: string | undefined
  /** Why the last save of the file is not in force, or not all of it. */
  readonly refused?: (() => string | undefined) | undefined
  /** The sign-in of a server, where it has one. */
  readonly signIn: (server: string) => SignIn.SignIn | undefined
}

/** A gateway that is being served. */
export interface Gateway extends About {
  readonly fleet: Fleet.Fleet
  /** The runtimes of the servers of which each client has its own. */
  readonly own: OwnRuntimes
  /** Of the MCP endpoint. */
  readonly url: string
  /** How many sessions clients have. */
  readonly clients: Effect.Effect<number>
  /** Whether each server is up, or has had its first try. */
  readonly isReady: Effect.Effect<boolean>
}

/** What is known of a fleet without a record of its own: nothing that was before now. */
export const about = (fleet: Fleet.Fleet): Effect.Effect<About, never, Scope.Scope> =>
  Effect.gen(function*() {
    const record = yield* Record.make()
    yield* record.follow(fleet)
    return { record, startedAt: yield* Clock.currentTimeMillis, config: undefined, signIn: () => undefined }
  })
