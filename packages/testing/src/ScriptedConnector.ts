/**
 * A connector without process or socket, on the test's Clock: it can fail n times, hang, answer late, lose its connection, and change its
 * tools.
 */
import {
  ConnectError,
  type Connection,
  type ConnectOptions,
  type Connector,
  type ProcessSight,
  RequestError,
  type RequestOptions,
  Sending,
  SuspendedSession
} from "@mcp-lifeline/core"
import type { Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Effect, type Runtime, type Scope } from "effect"
import { Ledger } from "./Ledger.js"
import { type Outcome, ScriptedConnection, ScriptedSession } from "./ScriptedConnection.js"

export type { Outcome, ScriptedConnection, ScriptedSession } from "./ScriptedConnection.js"

export type Answer =
  /** At once, or so many milliseconds later. */
  | { readonly answer: "result"; readonly result?: unknown; readonly after?: number | undefined }
  | { readonly answer: "error"; readonly error: RequestError; readonly after?: number | undefined }
  /** The request times out. */
  | { readonly answer: "never" }
  /** Like a broken connector: the request dies, or can neither end nor be interrupted. */
  | { readonly answer: "die" }
  | { readonly answer: "stuck" }

export interface Offer {
  readonly tools: ReadonlyArray<Tool>
  readonly prompts: ReadonlyArray<Prompt>
  readonly resources: ReadonlyArray<Resource>
  readonly resourceTemplates: ReadonlyArray<ResourceTemplate>
}

export interface Options {
  /** Whether a second connection may open while the first is open. Default true. */
  readonly overlap?: boolean | undefined
  /** Limit of a start that outlives its attempt: so many milliseconds, or three times the slowest one. Default: it ends with its attempt. */
  readonly startLimit?: number | undefined
  /** Judges what `ScriptedConnection.use` reports. Default: nothing does. */
  readonly usageLimit?: Connector["usageLimit"]
}

export class ScriptedConnector implements Connector {
  readonly transport = "scripted"
  readonly target = "a script"
  readonly heartbeat = true
  readonly overlap: boolean
  readonly usageLimit: Connector["usageLimit"]
  readonly startLimit: Connector["startLimit"]
  readonly ledger = new Ledger()
  readonly connections: Array<ScriptedConnection> = []
  /** What the server lists. Announce a change with `current.notify("notifications/tools/list_changed")`. */
  offer: Offer = { tools: [echo], prompts: [], resources: [], resourceTemplates: [] }
  /** For unscripted attempts. */
  otherwise: Outcome = {}
  /** Called for each request. `undefined`: the method's default answer. */
  respond: ((method: string, params: unknown, connection: ScriptedConnection) => Answer | undefined) | undefined
  /** What the server's processes show; by default nothing. `connection`: `undefined` during a start. Set it before connecting. */
  sight: ((connection: ScriptedConnection | undefined) => ProcessSight | undefined) | undefined
  readonly #script: Array<Outcome> = []
  #sessions = 0

  constructor(options: Options = {}) {
    this.overlap = options.overlap ?? true
    this.usageLimit = options.usageLimit
    const { startLimit } = options
    this.startLimit = startLimit === undefined ? undefined : (slowest = 0) => Math.max(startLimit, 3 * slowest)
  }

  /** One for each of the next attempts. */
  script(...outcomes: ReadonlyArray<Outcome>): this {
    this.#script.push(...outcomes)
    return this
  }

  /** Removes unused outcomes. */
  clear(): void {
    this.#script.length = 0
  }

  failNext(times: number, error: Outcome["error"] = {}): this {
    for (let i = 0; i < times; i++) this.#script.push({ connect: "fail", error })
    return this
  }

  /** The last opened one. */
  get current(): ScriptedConnection {
    const last = this.connections.at(-1)
    if (last === undefined) throw new Error("nothing has been connected yet")
    return last
  }

  readonly connect = (options: ConnectOptions): Effect.Effect<Connection, ConnectError, Scope.Scope> => {
    const outcome = this.#script.shift() ?? this.otherwise
    const look = this.#look(undefined)
    if (look !== undefined) options.report({ _tag: "Attempt", describe: () => undefined, look: () => look })
    if (outcome.connect === "throw") throw new Error("the scripted connector throws")
    if (outcome.connect === "interrupt") return Effect.interrupt
    if (outcome.connect === "failWithNothing") return Effect.fail(undefined as never)
    if (outcome.connect === "nothing") return Effect.succeed(undefined as never)
    const after = Effect.sleep(outcome.after ?? 0)
    const body = Effect.clockWith((clock) => this.#open(outcome, options, () => clock.unsafeCurrentTimeMillis()))
    const opening = Effect.acquireRelease(body, (connection) => this.#close(connection, outcome))
    const wait = outcome.connect === "hang" ? Effect.never : after
    const opened = outcome.stubborn === true
      ? Effect.acquireRelease(
        Effect.zipRight(after, body),
        (connection) => this.#close(connection, outcome)
      )
      : Effect.zipRight(outcome.after === undefined && outcome.connect !== "hang" ? Effect.void : wait, opening)
    return Effect.flatMap(Clock.currentTimeMillis, (at) => {
      this.ledger.write({ _tag: "Attempt", at })
      return Effect.zipWith(
        opened,
        Effect.runtime<never>(),
        (connection, runtime) => this.#port(connection, outcome, runtime)
      )
    }).pipe(Effect.tap((port) => this.#loseLater(port.scripted, outcome)))
  }

  #look(connection: ScriptedConnection | undefined): Connection["look"] {
    return this.sight && Effect.sync(() => this.sight?.(connection))
  }

  #open(outcome: Outcome, options: ConnectOptions, now: () => number): Effect.Effect<ScriptedConnection, ConnectError> {
    if (outcome.connect === "fail") {
      const { permanent = false, message = "scripted failure", reason = "refused", retryAfter } = outcome.error ?? {}
      return Effect.fail(new ConnectError({ backend: "", reason, message, permanent, retryAfter }))
    }
    const id = this.connections.length
    const at = now()
    const connection = new ScriptedConnection(id, options, outcome, this.#session(outcome, options, at, id), now)
    this.connections.push(connection)
    this.ledger.write({ _tag: "Opened", at, connection: connection.id })
    return Effect.succeed(connection)
  }

  /** The offered session if the server knows it; else a new one. */
  #session({ offered = "resumed" }: Outcome, options: ConnectOptions, at: number, connection: number): ScriptedSession {
    const suspended = options.resume as SuspendedSession<ScriptedSession> | undefined
    const known = offered === "ignored" ? undefined : suspended?.take()
    if (known !== undefined && offered === "resumed") {
      known.write("resumed", at, connection)
      return known
    }
    known?.over("forgotten", at, connection)
    const session = new ScriptedSession(this.#sessions++, this.ledger)
    session.write("begun", at, connection)
    return session
  }

  #suspend(connection: ScriptedConnection): SuspendedSession {
    const session = connection.suspend()
    return new SuspendedSession({
      knows: session,
      isAwaited: () => session.waiting.size > 0,
      end: Effect.map(Clock.currentTimeMillis, (now) => session.over("ended", now))
    })
  }

  #close(connection: ScriptedConnection, outcome: Outcome): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (at) => {
      connection.fail({ kind: "closed", message: "closed" })
      connection.state = "closed"
      this.ledger.write({ _tag: "Closing", at, connection: connection.id })
      if (!connection.suspended) {
        connection.session.over(connection.loss?.kind === "session" ? "forgotten" : "ended", at, connection.id)
      }
      if (outcome.close === "never") return Effect.never
      if (outcome.close === "die") {
        this.ledger.write({ _tag: "Closed", at, connection: connection.id })
        return Effect.dieMessage("the scripted close dies")
      }
      const wait = outcome.close === undefined || outcome.close === 0 ? Effect.void : Effect.sleep(outcome.close)
      return Effect.zipRight(
        wait,
        Effect.map(
          Clock.currentTimeMillis,
          (end) => this.ledger.write({ _tag: "Closed", at: end, connection: connection.id })
        )
      )
    })
  }

  #loseLater(connection: ScriptedConnection, outcome: Outcome): Effect.Effect<void, never, Scope.Scope> {
    return outcome.loseAfter === undefined
      ? Effect.void
      : Effect.asVoid(Effect.forkScoped(Effect.delay(Effect.sync(() => connection.lose()), outcome.loseAfter)))
  }

  #port(
    connection: ScriptedConnection,
    outcome: Outcome,
    runtime: Runtime.Runtime<never>
  ): Connection & { readonly scripted: ScriptedConnection } {
    const request = (method: string, params: unknown, options: RequestOptions) =>
      Effect.clockWith((clock) => {
        const at = clock.unsafeCurrentTimeMillis()
        const refused = connection.state !== "open"
        this.ledger.write({ _tag: "Sent", at, connection: connection.id, method, refused })
        return refused
          ? Effect.fail(new RequestError({ fate: "notSent", reason: "lost", message: "not connected" }))
          : this.#answer(method, params, connection, options)
      })
    return {
      scripted: connection,
      serverInfo: { name: "scripted", version: "1.0.0" },
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {}
      },
      instructions: undefined,
      protocolVersion: "2025-11-25",
      sessionId: `session-${connection.session.id}`,
      resumed: connection.session.last === "resumed",
      stateful: outcome.stateful ?? true,
      peer: { pid: connection.id },
      send: Sending.by(runtime, request),
      notify: (method) => Effect.asVoid(request(method, undefined, { timeout: Number.MAX_SAFE_INTEGER })),
      onLost: (callback) => {
        connection.onLost(callback)
        if (outcome.broken === "onLost") throw new Error("the scripted onLost throws")
      },
      look: this.#look(connection),
      fail: (loss) => {
        connection.fail(loss)
        if (outcome.broken === "fail") throw new Error("the scripted fail throws")
      },
      suspend: outcome.suspends === true
        ? () => this.#suspend(connection)
        : undefined,
      heartbeat: (options) => Effect.asVoid(request("OPTIONS", options, { timeout: 10_000 }))
    }
  }

  #answer(
    method: string,
    params: unknown,
    connection: ScriptedConnection,
    options: RequestOptions
  ): Effect.Effect<unknown, RequestError> {
    const answer: Answer = this.respond?.(method, params, connection) ?? { answer: "result" }
    if (answer.answer === "die") return Effect.dieMessage("the scripted request dies")
    if (answer.answer === "stuck") return Effect.uninterruptible(Effect.never)
    if (answer.answer === "never") return connection.wait(Effect.never, options)
    const outcome = answer.answer === "error"
      ? Effect.fail(answer.error)
      : Effect.sync(() => answer.result ?? this.#result(method, params))
    return answer.after === undefined ? outcome : connection.wait(Effect.delay(outcome, answer.after), options)
  }

  #result(method: string, params: unknown): unknown {
    switch (method) {
      case "tools/list":
        return { tools: this.offer.tools }
      case "prompts/list":
        return { prompts: this.offer.prompts }
      case "resources/list":
        return { resources: this.offer.resources }
      case "resources/templates/list":
        return { resourceTemplates: this.offer.resourceTemplates }
      case "tools/call":
        return { content: [{ type: "text", text: JSON.stringify(params) }] }
      default:
        return {}
    }
  }
}

export const tool = (name: string, annotations?: Tool["annotations"]): Tool => ({
  name,
  inputSchema: { type: "object" },
  ...(annotations === undefined ? {} : { annotations })
})

const echo = tool("echo")

export const make = (options?: Options): ScriptedConnector => new ScriptedConnector(options)
