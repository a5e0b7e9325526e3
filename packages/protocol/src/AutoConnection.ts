/** For a transport that has one server for itself, such as a child process. */
import type { Connection } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Clock, Data, Effect } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import type { Answer } from "./Answers.js"
import * as Discovery from "./Discovery.js"
import * as Era from "./Era.js"
import type { EraMemory } from "./EraMemory.js"
import { mayBeStateless, namesStateless } from "./EraMemory.js"
import * as Failures from "./Failures.js"
import { ProbedTransport } from "./ProbedTransport.js"
import * as Session from "./Session.js"
import * as StatelessConnection from "./StatelessConnection.js"

/** Because it was asked what it does not know, as far as can be seen. */
class Exited extends Data.TaggedError("Exited")<{}> {}

/**
 * Sends `server/discover`. A server that answers with an error, or not within 5 s (or a third of the attempt, if that is shorter), is
 * initialized on the same transport. One that ends is started once more, within the same attempt. That a server has sessions is remembered,
 * and then it is initialized at once.
 *
 * `make`: a transport that has not been started, with a server of its own.
 */
export const connect = (
  parts: Session.Parts,
  make: () => AdapterTransport,
  memory: EraMemory,
  options: Session.Options
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const initialized = memory.watch(Effect.suspend(() => Session.connect(parts, make(), options))).pipe(
      Effect.mapError(passing)
    )
    if (memory.hasSessions(now)) return initialized
    return Effect.catchTag(allOrNothing(probed(parts, make, memory, options)), "Exited", () => initialized)
  })

/** A server that speaks 2026-07-28 may have ended for another reason: the next attempt asks again. */
const passing = (error: ConnectError): ConnectError => {
  const { backend, cause, message, reason, retryAfter } = error
  return namesStateless(error)
    ? new ConnectError({ backend, cause, message, reason, retryAfter, permanent: false })
    : error
}

const probed = (
  parts: Session.Parts,
  make: () => AdapterTransport,
  memory: EraMemory,
  options: Session.Options
): Effect.Effect<Connection, ConnectError | Exited, Scope.Scope> =>
  Effect.gen(function*() {
    const transport = yield* Effect.acquireRelease(
      Effect.sync(() => new ProbedTransport(make())),
      (transport) => Effect.promise(() => transport.end())
    )
    const question = { _meta: Discovery.envelopeOf(options) }
    const answer = yield* transport.ask(question, Era.silenceLimit(options.timeout))
    const verdict = Era.verdict(Discovery.outcomeOf(answer), "stdio")
    if (verdict._tag === "None") return yield* Discovery.notHeard(answer)
    if (verdict._tag === "Unsupported") return yield* Failures.unsupported(verdict.versions.join(", "))
    const stateless = Effect.catchTag(
      Effect.suspend(() => StatelessConnection.connect(parts, transport, "http", options, transport.answer)),
      "SpeaksSessions",
      () => Discovery.notHeard(answer)
    )
    if (verdict._tag === "Stateless") return yield* stateless
    memory.remember(yield* Clock.currentTimeMillis)
    if (transport.loss !== undefined) return yield* new Exited()
    const handshake = memory.watch(Session.connect(parts, transport, options))
    return yield* Effect.catchAll(handshake, (error) =>
      Effect.gen(function*() {
        // A slow server has both questions at once, and may refuse the second before it answers the first.
        if (namesStateless(error)) yield* transport.answered
        if (transport.loss !== undefined) return yield* new Exited()
        return yield* mayBeStateless(error) && isStateless(transport.answer) ? stateless : Effect.fail(error)
      }))
  })

const isStateless = (answer: Answer | undefined): boolean =>
  answer !== undefined && Era.verdict(Discovery.outcomeOf(answer), "stdio")._tag === "Stateless"
