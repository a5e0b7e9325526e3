/** What keeps a call from being sent in this step, in order. How many run at once: `QueuedCalls`. */
import { type Effect, Exit } from "effect"
import { type CallError, SessionExpired } from "../Errors.js"
import { silenceOf } from "../health/Liveness.js"
import { aside, open, said } from "../observe/Said.js"
import type { Runtime } from "../runtime/Runtime.js"
import { after, type Call, type Calls, interrupted, type Next } from "./Call.js"
import * as QueuedCalls from "./QueuedCalls.js"
import * as ToolHints from "./ToolHints.js"
import * as Waiting from "./Waiting.js"

export const refusal = ({ backend: { id, offered } }: Calls, { ask, isGivenUp }: Call): Next | undefined => {
  if (isGivenUp) return interrupted
  const error = offered.refusal(id, ask.method, ask.params)
  return error && Exit.fail(error)
}

/** `undefined`: send it in this step. Its task is decided, and it has its place. */
export const keeps = (self: Calls, call: Call, runtime: Runtime): Next | undefined => {
  if (isHeld(self, call, runtime)) return untilVerdict(self, call, runtime)
  const unclear = undecided(self, call, runtime)
  if (unclear !== undefined) return unclear
  if (!ToolHints.decideTask(self, call, runtime)) return beside(self, call, ToolHints.readForTask(self, call, runtime))
  // A request about a task runs nothing that needs the lost state.
  const expired = call.ask.about === undefined ? sessionExpired(self, call, runtime.generation) : undefined
  if (expired !== undefined) return expired
  return QueuedCalls.take(self, call) ? undefined : after(Waiting.forTurn(self, call))
}

/** On another version of the server, only a tool that reads is harmless. (C15) */
const undecided = (self: Calls, call: Call, runtime: Runtime): Next | undefined => {
  const { undecided } = call
  if (undecided === undefined) return undefined
  const mayRepeat = ToolHints.mayRepeat(self, call, runtime, !isSameServer(undecided.failed, runtime))
  call.tally = { ...call.tally, repeated: mayRepeat === true }
  if (mayRepeat === undefined && undecided.readOn !== runtime) {
    undecided.readOn = runtime
    const isKnown = () => ToolHints.mayRepeat(self, call, runtime) !== undefined
    return beside(self, call, ToolHints.read(self, call, runtime, isKnown))
  }
  if (mayRepeat !== true) return undecided.fail
  const { pause } = undecided
  undecided.pause = undefined
  return pause && beside(self, call, pause)
}

const beside = (self: Calls, call: Call, wait: Effect.Effect<void, CallError>): Next => {
  QueuedCalls.leave(self, call) // guard: reading-holds-no-place
  return after(wait)
}

/** A call that may have been carried out fails as such; the next one learns of the loss. */
const sessionExpired = ({ backend: state }: Calls, call: Call, newGeneration: number) => {
  const { lostGeneration: generation } = state.published.value
  if (generation === undefined) return undefined
  if (call.tally.unknown === undefined) state.update((slot) => ({ ...slot, lostGeneration: undefined }))
  const { id: backend } = state
  return Exit.fail(
    new SessionExpired({
      backend,
      generation,
      newGeneration,
      ...said`${
        open(backend)
      }: the call was not sent, because the session of generation ${generation} was lost, and generation ${newGeneration} knows nothing of it. Rebuild what the server kept for you, then call again`
    })
  )
}

/** If only a probe had no answer, repeatable calls are sent: an answer is a verdict. (C14) */
const isHeld = (self: Calls, call: Call, runtime: Runtime): boolean => {
  const silence = self.backend.policy.health.enforce ? silenceOf(self.liveness, runtime) : undefined
  if (silence === undefined || call.ask.method === "ping") return false
  if (silence === "call") return true // guard: doubt-holds-all
  return ToolHints.mayRepeat(self, call, runtime) !== true // guard: silent-is-not-used
}

const untilVerdict = (self: Calls, call: Call, runtime: Runtime): Next => {
  const settled = runtime.hold(() => !self.backend.isCurrent(runtime) || !isHeld(self, call, runtime))
  return after(Waiting.forVerdict(self, call, settled, () => {
    const why = aside(self.backend.published.value.verdict?.reason)
    return said`the server does not answer probes${why}`
  }))
}

const isSameServer = ({ connection: a }: Runtime, { connection: b }: Runtime): boolean =>
  a.serverInfo.name === b.serverInfo.name && a.serverInfo.version === b.serverInfo.version
