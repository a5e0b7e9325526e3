/**
 * The gateway as its API sees it: what it serves, and what has happened so far.
 */
import type * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import { Clock, Effect, type Scope } from "effect"
import type { ServerPool } from "../serve/pool/ServerPool.js"
import * as Record from "./Record.js"

/** What the API needs to know beside the servers. */
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
  readonly servers: ServerPool
  /** Of the MCP endpoint. */
  readonly url: string
  /** How many sessions clients have. */
  readonly clients: Effect.Effect<number>
  /** Whether each server is up, or has had its first try. */
  readonly isReady: Effect.Effect<boolean>
}

/** What is known of servers without a record of their own: nothing that was before now. */
export const about = ({ shared }: Pick<ServerPool, "shared">): Effect.Effect<About, never, Scope.Scope> =>
  Effect.gen(function*() {
    const record = yield* Record.make()
    yield* record.follow(shared.fleet)
    return { record, startedAt: yield* Clock.currentTimeMillis, config: undefined, signIn: () => undefined }
  })
