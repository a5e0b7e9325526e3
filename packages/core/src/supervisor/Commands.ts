/** A command is answered by what ends it: the attempt that it starts or joins, or the teardown. */
import { Effect, Exit } from "effect"
import { unavailable } from "../calls/CallFailure.js"
import type { CommandError } from "../Errors.js"
import * as Lifecycle from "../lifecycle/Lifecycle.js"
import { open, said } from "../observe/Said.js"
import type { Loss } from "../port/Connection.js"
import type { Command, PendingCommand, Teardown } from "../state/Message.js"
import type { ConnectionManager, Parts as ConnectionParts } from "./ConnectionManager.js"

export interface Parts extends ConnectionParts {
  readonly connections: ConnectionManager
}

export class Commands {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  carryOut(pending: PendingCommand): Effect.Effect<void> {
    switch (pending.command) {
      case "Disable":
        return this.#disable(pending)
      case "Disconnect":
        return this.#disconnect(pending)
      case "Reconnect":
        return this.#reconnect(pending, Lifecycle.Event.Reconnect({ overlap: this.#parts.overlap }))
      case "Enable":
        return this.#reconnect(pending, Lifecycle.Event.Enable())
    }
  }

  #reconnect(pending: PendingCommand, event: Lifecycle.Event): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { work } = this.#parts.phase
      const { current } = this.#parts.backend.published.value
      if (event._tag === "Enable" && current !== undefined) return pending.answer(Exit.void)
      if (work?._tag === "Attempt") return void work.joined.push(pending)
      if (work?._tag === "Teardown" && event._tag === "Enable") {
        work.enables.push(pending)
        return void this.#parts.phase.move(event)
      }
      const patch = this.#parts.overlap ? {} : this.#parts.connections.clearErrorIfStable(current)
      if (!this.#parts.phase.move(event, patch)) return this.#refuse([pending])
      if (event._tag === "Reconnect") yield* this.#parts.owner.endStart({ kind: "closed", message: "reconnect" })
      if (current === undefined) this.#parts.connections.forgetOutage()
      else if (!this.#parts.overlap) {
        this.#parts.connections.recordUptime(current)
        yield* this.#parts.owner.retire(current)
      }
      yield* this.#parts.connections.connect(false, [pending])
    })
  }

  #disconnect(pending: PendingCommand): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      yield* this.#endAll(Lifecycle.Event.Disconnect(), "disconnected")
      this.#parts.backend.firstOutcome.complete()
      pending.answer(Exit.void)
    })
  }

  /** Disabling, then Disabled, nothing ever rolled back. (L10) */
  #disable(pending: PendingCommand): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { state, work } = this.#parts.phase
      if (state._tag === "Disabled") return pending.answer(Exit.void)
      if (work?._tag === "Teardown") {
        this.#parts.phase.move(Lifecycle.Event.Disable())
        work.disables.push(pending)
        return this.#refuse(work.enables.splice(0))
      }
      const ended = this.#parts.attempts.ended(this.#parts.backend.policy.timeouts.close)
      yield* this.#endAll(Lifecycle.Event.Disable(), "disabled")
      this.#parts.backend.firstOutcome.complete()
      const teardown: Teardown = { _tag: "Teardown", disables: [pending], enables: [] }
      const run = Effect.gen(this, function*() {
        yield* ended
        yield* this.#parts.owner.retireAll({ kind: "closed", message: "disabled" })
        yield* this.#parts.owner.closed // guard: teardown-is-awaited
        this.#parts.backend.send({ _tag: "TornDown", teardown })
      })
      yield* this.#parts.phase.begin(teardown, run)
    })
  }

  tornDown(teardown: Teardown): Effect.Effect<void> {
    if (!this.#parts.phase.finish(teardown)) return Effect.void
    this.#parts.phase.move(Lifecycle.Event.TornDown())
    for (const pending of teardown.disables) pending.answer(Exit.void)
    if (this.#parts.phase.state._tag !== "Connecting") return Effect.void
    this.#parts.connections.forgetOutage()
    return this.#parts.connections.connect(false, teardown.enables)
  }

  #endAll(event: Lifecycle.Event, why: string): Effect.Effect<void> {
    const { current } = this.#parts.backend.published.value
    if (!this.#parts.phase.move(event, this.#parts.connections.clearErrorIfStable(current))) return Effect.void
    const loss: Loss = { kind: "closed", message: why }
    this.endWork()
    this.#parts.connections.forgetLoss()
    this.#parts.owner.failDraining(loss)
    if (current !== undefined) this.#parts.connections.recordUptime(current)
    return Effect.gen(this, function*() {
      yield* this.#parts.owner.enter(this.#parts.phase.state) // guard: unwanted-session-is-ended
      if (current !== undefined) yield* this.#parts.owner.retire(current, loss)
      yield* this.#parts.owner.endStart(loss)
    })
  }

  // --- answers

  endWork(): void {
    const work = this.#parts.phase.end()
    if (work?._tag === "Attempt") this.#refuse(work.joined)
    if (work?._tag !== "Teardown") return
    this.#refuse(work.enables)
    for (const pending of work.disables) pending.answer(Exit.void)
  }

  #refuse(commands: ReadonlyArray<PendingCommand>): void {
    for (const pending of commands) pending.answer(Exit.fail(this.#refusal(pending.command)))
  }

  #refusal(command: Command): CommandError {
    return unavailable(this.#parts.backend, said`${open(command.toLowerCase())} was not carried out`)
  }

  answerWhenClosed(command: Command): Exit.Exit<void, CommandError> {
    return command === "Disable" || command === "Disconnect" ? Exit.void : Exit.fail(this.#refusal(command))
  }
}
