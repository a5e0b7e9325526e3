/** Tools are read once on each connection for all calls; the runtime keeps what they say. */
import { Deferred, Effect, FiberId } from "effect"
import * as Hints from "../catalog/Hints.js"
import { firstOf } from "../internal/firstOf.js"
import { isRead, type Params } from "../port/Method.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import { type Call, type Calls, waitingFor } from "./Call.js"

/** `undefined`: the hints decide, and were never read. `onlyReading`: only the hint that the tool just reads counts. */
export const mayRepeat = (
  { backend: { policy, published } }: Calls,
  { ask: { method, options, params }, tool }: Call,
  { generation, listed }: Runtime,
  onlyReading = false
): boolean | undefined => {
  const word = options?.idempotent ?? tool?.idempotent
  if (word !== undefined) return word
  if (isRead(method)) return true
  if (method !== "tools/call" || !policy.calls.trustAnnotations) return false
  const { name } = params as Params<"tools/call">
  const said = Hints.of(name, generation, listed, published.value.snapshot)
  return said && (onlyReading ? said.readOnly : said.harmless)
}

/** Ends at the latest with the call's time; the reading goes on for others. After a failure the next call begins another. */
export const read = (self: Calls, call: Call, runtime: Runtime, isKnown: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isKnown()) return Effect.void
    const { backend, state } = self
    const begun = state.reading?.runtime === runtime ? state.reading : undefined
    const { ended } = state.reading = begun ?? { runtime, ended: Deferred.unsafeMake<void>(FiberId.none) }
    const known = firstOf(Deferred.await(ended), runtime.until(() => runtime.detached || isKnown()))
    const wait = waitingFor(
      call,
      "waits until the server has listed its tools",
      backend.before(call.budget.deadline, known)
    )
    return begun === undefined ? Effect.zipRight(begin(self, runtime, ended), wait) : wait
  })

const begin = (self: Calls, runtime: Runtime, ended: Deferred.Deferred<void>): Effect.Effect<void> => {
  const { backend, readTools, state } = self
  const forget = () => {
    if (state.reading?.ended === ended) state.reading = undefined
  }
  // Each page has that time, too.
  const learnt = Effect.match(withDeadline(readTools(runtime), backend.policy.timeouts.request), {
    onSuccess: (tools) => {
      if (tools === undefined) return forget()
      const { policy: { discovery }, published: { value: { revision } } } = backend
      runtime.listed = Hints.learn(runtime.listed, { tools }, revision, discovery.maxEntries)
    },
    onFailure: forget
  })
  const lease = Effect.acquireUseRelease(
    Effect.sync(() => runtime.begin()),
    () => learnt,
    () => Effect.sync(() => runtime.end(backend.now(), false))
  )
  return Effect.uninterruptible(
    Effect.asVoid(runtime.fork(Effect.ensuring(lease, Deferred.succeed(ended, undefined))))
  )
}
