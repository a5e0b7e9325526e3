/**
 * Which calls of tools Lifeline runs as a task: the server creates one in place of a result, and Lifeline waits for its outcome. (C17)
 */
import { Effect, Predicate } from "effect"
import * as Hints from "../catalog/Hints.js"
import type { RequestError } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"
import type { Call } from "./Call.js"
import type { ToolReading } from "./ToolReading.js"

/** The extension with which servers of the protocol without sessions run tasks. */
export const extension = "io.modelcontextprotocol/tasks"

/** Where a request of that protocol says what its client can do. */
const clientCapabilities = "io.modelcontextprotocol/clientCapabilities"

/** JSON-RPC: the server needs a capability of the client that the request does not declare. */
const missingCapability = -32_021

const member = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, name) => Predicate.isRecord(inner) ? inner[name] : undefined, value)

/** Whether a server runs tool calls as tasks when it is asked to (2025-11-25). */
const takesTasks = ({ capabilities }: Connection): boolean =>
  member(capabilities, "tasks", "requests", "tools", "call") !== undefined

/** Whether a server may answer a tool call with a task, of a client that declares the extension (2026-07-28). */
const hasExtension = ({ capabilities }: Connection): boolean =>
  member(capabilities, "extensions", extension) !== undefined

/** Whether the caller wants the task itself, and knows what to do with it. */
const wantsTask = <M extends Method>({ options, params }: Call<M>): boolean =>
  options?.task !== undefined || member(params, "task") !== undefined ||
  member(params, "_meta", clientCapabilities, "extensions", extension) !== undefined

/** Decides for the calls of one backend. */
export class TaskSupport {
  readonly #backend: BackendState
  readonly #reading: ToolReading

  constructor(backend: BackendState, reading: ToolReading) {
    this.#backend = backend
    this.#reading = reading
  }

  /**
   * Decides whether a call that is about to be sent begins a task, in the same step. False: it depends on the tool, and the tools of this
   * connection have to be read first.
   */
  decide<M extends Method>(call: Call<M>, { connection, runtime }: LiveConnection): boolean {
    if (call.method !== "tools/call") return true
    const { tasks } = this.#backend.policy.calls
    call.runsTask = false
    if (tasks === "never" || wantsTask(call)) return true
    const { name } = call.params as Params<"tools/call">
    if (hasExtension(connection)) {
      call.runsTask = tasks === "prefer" || runtime.needsTask(name)
      return true
    }
    if (!takesTasks(connection)) return true
    const { generation, listed } = runtime
    const support = Hints.of(name, generation, listed, this.#backend.published.value.snapshot)?.taskSupport
    // A plain tool that is sent a task runs, and its result is lost: what is not known is never guessed.
    call.runsTask = support === "required" || (support === "optional" && tasks === "prefer")
    return support !== undefined || runtime.hasReadTools
  }

  /** Reads the tools of a connection. If that fails, calls are sent as they are, except where the connection is lost. */
  read<M extends Method>(call: Call<M>, installed: LiveConnection): Effect.Effect<void> {
    return Effect.zipRight(
      this.#reading.wait(call, installed, () => this.decide(call, installed)),
      Effect.sync(() => installed.runtime.readTools())
    )
  }

  /** Whether a server has refused a call because it can only answer it with a task. Then the call is to be sent again, as one. */
  refused<M extends Method>(call: Call<M>, { connection, runtime }: LiveConnection, error: RequestError): boolean {
    if (call.method !== "tools/call" || call.runsTask !== false || error.code !== missingCapability) return false
    if (error.fate !== "answered" || this.#backend.policy.calls.tasks === "never" || wantsTask(call)) return false
    if (!hasExtension(connection)) return false
    if (member(error.data, "requiredCapabilities", "extensions", extension) === undefined) return false
    runtime.learnNeedsTask((call.params as Params<"tools/call">).name)
    return true
  }
}
