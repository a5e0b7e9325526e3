/**
 * What lets the sessions of clients outlive this process: the seal of their ids, and what is kept of them in the state folder.
 */
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, type Scope } from "effect"
import type { StartError } from "../Errors.js"
import * as SessionKey from "./SessionKey.js"

/** What the ids of sessions say, and what is kept beside them. */
export interface LastingSessions {
  readonly seal: SealedId.Seal
  readonly records: SessionRecords.SessionRecords
}

/** For sessions of this state folder, and of everybody with the same key. */
export const make = (
  given: SessionKey.Given
): Effect.Effect<LastingSessions, StartError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const secret = yield* SessionKey.make(given, folder)
    return { seal: SealedId.make(secret), records: yield* SessionRecords.make(folder) }
  })
