/** Decides by a call's tool whether it may be repeated, and runs as a task. Each connection's tools are read once. */
import { Deferred, Effect, FiberId } from "effect"
import * as Hints from "../catalog/Hints.js"
import type { RequestError } from "../Errors.js"
import { firstOf } from "../internal/races.js"
import * as Tools from "../options/Tools.js"
import { isRead, type Params } from "../port/Method.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import { type Call, type Calls, waitingFor } from "./Call.js"

const nameOf = (params: unknown): string => (params as Params<"tools/call">).name

/** `undefined`: hints decide, and were never read. `onlyReading`: only `readOnlyHint` counts. */
export const mayRepeat = (
  { backend: { policy, published } }: Calls,
  { ask: { method, options, params }, tool }: Call,
  { generation, known: { listed } }: Runtime,
  onlyReading = false
): boolean | undefined => {
  const word = options?.idempotent ?? tool?.idempotent
  if (word !== undefined) return word
  if (isRead(method)) return true
  const { trustAnnotations: trusted } = policy.calls
  if (method !== "tools/call" || trusted === false) return false
  const name = nameOf(params)
  if (trusted !== true && !trusted.some((pattern) => Tools.matches(pattern, name))) return false
  const said = Hints.of(name, generation, listed, published.value.snapshot)
  return said && (onlyReading ? said.readOnly : said.harmless)
}

/** Ends at the latest with the call's time; the reading goes on for others. */
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
  const learnt = Effect.match(withDeadline(readTools(runtime), backend.policy.timeouts.request), {
    onSuccess: (tools) => {
      if (tools === undefined) return forget()
      const { policy: { discovery }, published: { value: { revision } } } = backend
      runtime.learn({ listed: Hints.learn(runtime.known.listed, { tools }, revision, discovery.maxEntries) })
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

const extension = "io.modelcontextprotocol/tasks"

const clientCapabilities = "io.modelcontextprotocol/clientCapabilities"

/** JSON-RPC: a capability that the server needs is not declared. */
const missingCapability = -32_021

/** Protocol 2026-07-28: clients that declare it may be answered with a task. */
const hasExtension = (of: unknown): boolean =>
  (of as { readonly extensions?: Record<string, unknown> } | undefined)?.extensions?.[extension] !== undefined

const wantsTask = ({ ask: { options, params } }: Call): boolean => {
  const given = params as Params<"tools/call"> | undefined
  return options?.task !== undefined || given?.task !== undefined || hasExtension(given?._meta?.[clientCapabilities])
}

export const pollInterval = (given: unknown): number =>
  Math.min(60_000, Math.max(100, typeof given === "number" && given >= 0 ? given : 1000))

/** False: the tools of this connection must be read first. */
export const decideTask = ({ backend }: Calls, call: Call, runtime: Runtime): boolean => {
  if (call.ask.method !== "tools/call") return true
  const { tasks } = backend.policy.calls
  call.runsTask = false
  if (tasks === "never" || wantsTask(call)) return true
  const name = nameOf(call.ask.params)
  const { connection: { capabilities }, generation, known } = runtime
  if (hasExtension(capabilities)) {
    call.runsTask = tasks === "prefer" || known.needTask?.has(name) === true
    return true
  }
  // Protocol 2025-11-25.
  if (capabilities.tasks?.requests?.tools?.call === undefined) return true
  const support = Hints.of(name, generation, known.listed, backend.published.value.snapshot)?.taskSupport
  // A plain tool that is sent a task runs, and its result is lost: never guess.
  call.runsTask = support === "required" || (support === "optional" && tasks === "prefer")
  return support !== undefined || known.hasReadTools
}

/** After a failure calls are sent as they are, unless the connection is lost. */
export const readForTask = (self: Calls, call: Call, runtime: Runtime): Effect.Effect<void> =>
  Effect.map(read(self, call, runtime, () => decideTask(self, call, runtime)), () => {
    runtime.learn({ hasReadTools: true })
  })

export const needsTask = ({ backend }: Calls, call: Call, runtime: Runtime, error: RequestError): boolean => {
  if (call.ask.method !== "tools/call" || call.runsTask !== false || error.code !== missingCapability) return false
  if (error.fate !== "answered" || backend.policy.calls.tasks === "never" || wantsTask(call)) return false
  const required = (error.data as { readonly requiredCapabilities?: unknown } | undefined)?.requiredCapabilities
  if (!hasExtension(runtime.connection.capabilities) || !hasExtension(required)) return false
  runtime.learn({ needTask: new Set(runtime.known.needTask).add(nameOf(call.ask.params)) })
  return true
}
