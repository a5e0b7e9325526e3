/**
 * A command of a user, and the answer that its caller waits for.
 */
import { Deferred, Effect, type Exit, FiberId } from "effect"
import type { CommandError } from "../Errors.js"

export type Command = "Reconnect" | "Enable" | "Disable" | "Disconnect"

export class PendingCommand {
  readonly command: Command
  readonly #answer = Deferred.unsafeMake<void, CommandError>(FiberId.none)

  constructor(command: Command) {
    this.command = command
  }

  /** In the same synchronous step. The first answer counts. */
  answer(exit: Exit.Exit<void, CommandError>): void {
    Deferred.unsafeDone(this.#answer, exit)
  }

  /** Interrupting the wait cancels nothing. */
  get answered(): Effect.Effect<void, CommandError> {
    return Deferred.await(this.#answer)
  }
}
