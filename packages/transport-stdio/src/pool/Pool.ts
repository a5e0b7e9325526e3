/** Several processes of one server as one connection. */
import {
  ConnectError,
  type Connection,
  type ConnectOptions,
  type Connector,
  type Member,
  type MemberEvent,
  type Method,
  type Params,
  type ProcessStatus,
  type Report,
  RequestError,
  type RequestOptions,
  type ResourceUsage,
  type Result,
  Sending,
  type Supervision
} from "@mcp-lifeline/core"
import { Ending, firstOf, isLost, kinds, SafeLog, Signal } from "@mcp-lifeline/core/internal"
import { Deferred, Effect, Either, ExecutionStrategy, Exit, FiberId, type Runtime, Scope } from "effect"
import { Announcements } from "./Announcements.js"
import { type Choice, choose } from "./Choice.js"
import { Subscriptions } from "./Subscriptions.js"
import { TaskOwners } from "./TaskOwners.js"

const sumOf = (usages: ReadonlyArray<ResourceUsage>): ResourceUsage | undefined =>
  usages.length === 0 ? undefined : usages.reduce((sum, { cpu, cpuTime, memory }) => ({
    memory: sum.memory + memory,
    cpuTime: sum.cpuTime + cpuTime,
    cpu: cpu === undefined ? sum.cpu : (sum.cpu ?? 0) + cpu
  }))

type Settle<M extends Method> = Sending.Settle<Result<M>>

export interface Parts {
  readonly supervision: Supervision
  /** One process for each connection. */
  readonly connector: Connector
  /** Of the pool. */
  readonly options: ConnectOptions
  /** Runs work until the connection closes. */
  readonly run: (work: Effect.Effect<unknown>) => void
  readonly runtime: Runtime.Runtime<never>
}

/** Of the server, not of its process. */
const withoutName = ({ cause, message, permanent, reason, retryAfter }: ConnectError): ConnectError =>
  new ConnectError({ backend: "", cause, message, permanent, reason, retryAfter })

export class Pool {
  readonly #parts: Parts
  readonly #members: Array<Member> = []
  readonly #subscriptions: Subscriptions
  readonly #taskOwners = new TaskOwners()
  readonly #sendToAll: Connection["send"]
  readonly #first = Deferred.unsafeMake<void, ConnectError>(FiberId.none)
  readonly #announcements: Announcements
  /** Of the first process, or the first of another version. */
  #introduction: Connection | undefined
  /** Changed last: its loss is that of the connection. */
  #last: Member | undefined
  readonly #ending = new Ending()
  /** Completes at the next connect. */
  #next = new Signal()
  #turn = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.#sendToAll = Sending.by(
      parts.runtime,
      (method, params, options) => method === "ping" ? this.#ping : this.#ofEach(method, params, options)
    )
    this.#subscriptions = new Subscriptions(() => this.#choose() ?? this.#live[0], () => this.#refusal, {
      ...parts.supervision,
      run: parts.run
    })
    this.#announcements = new Announcements({
      announce: (notification) => parts.options.report({ _tag: "Notification", notification }),
      run: parts.run
    })
  }

  /** Ends with the attempt of the first process. */
  begin(): Effect.Effect<void, ConnectError, Scope.Scope> {
    return Effect.zipRight(this.add(1), Deferred.await(this.#first))
  }

  add(number: number): Effect.Effect<void, never, Scope.Scope> {
    const made = this.#parts.supervision.supervise(this.#connectorOf(number), {
      number,
      onEvent: (event, member) => this.#happened(event, member, number),
      onChanged: (member) => this.#changed(member)
    })
    return Effect.gen(this, function*() {
      // What one process closes has an order; the processes have none.
      const own = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      this.#members.push(yield* Scope.extend(made, own))
    })
  }

  #connectorOf(number: number): Connector {
    const { options, supervision } = this.#parts
    const connector = supervision.around(this.#parts.connector)
    return {
      ...connector,
      connect: (own) =>
        connector.connect({
          ...options,
          ...own,
          clientInfo: options.clientInfo,
          capabilities: options.capabilities,
          handlers: options.handlers,
          resume: undefined,
          report: (report) => {
            own.report(report)
            this.#reported(report, number)
          }
        })
    }
  }

  // --- what happens

  #reported(report: Report, number: number): void {
    const { options } = this.#parts
    switch (report._tag) {
      case "Notification":
        return this.#announcements.take(report.notification)
      case "Hearing":
        return options.report(report)
      case "Attempt":
        return number === 1 ? options.report(report) : undefined
      case "Usage":
        return this.#measured()
      // Of this process alone.
      case "Doubt":
      case "Peer":
    }
  }

  #measured(): void {
    const usage = sumOf(this.#processes.flatMap((one) => one.usage ?? []))
    if (usage !== undefined) this.#parts.options.report({ _tag: "Usage", usage })
  }

  get #processes(): ReadonlyArray<ProcessStatus> {
    return this.#members.map(({ status }) => status)
  }

  #happened(event: MemberEvent, member: Member, number: number): void {
    const { run, supervision: { backend } } = this.#parts
    const of = `${backend}: process ${number}`
    switch (event._tag) {
      case "AttemptFailed":
        Deferred.unsafeDone(this.#first, Effect.fail(withoutName(event.error)))
        if (this.#introduction !== undefined) run(SafeLog.warning(`${of} could not be started: ${event.error.message}`))
        return
      case "Installed":
        this.#installed(member)
        if (event.generation > 1) run(SafeLog.info(`${of} runs again`))
        return
      case "RuntimeLost":
        // The kind of loss says whether the calls in flight may finish.
        if (this.#live.length === 0) this.#ending.lose(event.loss)
        run(SafeLog.warning(`${of} was lost: ${event.loss.message}`))
        return
      case "MemoryHigh":
        run(SafeLog.warning(`${of} uses ${event.message}`))
    }
  }

  #installed({ live }: Member): void {
    if (live === undefined) return
    const { options } = this.#parts
    const { serverInfo: before } = this.#introduction ?? live.connection
    const isNew = before.name !== live.connection.serverInfo.name ||
      before.version !== live.connection.serverInfo.version
    if (this.#introduction === undefined || isNew) this.#introduction = live.connection
    Deferred.unsafeDone(this.#first, Effect.void)
    const next = this.#next
    this.#next = new Signal()
    next.complete()
    // Another version of the server may have other lists.
    if (isNew) options.report({ _tag: "Hearing", hearing: { announced: kinds, unannounced: [] } })
  }

  #changed(member: Member): void {
    this.#last = member
    if (this.#introduction === undefined) return
    // First, so that who is shown the processes is shown the sum of them.
    this.#measured()
    this.#parts.options.report({ _tag: "Peer" })
    if (this.#live.length > 0) this.#subscriptions.look()
    // Otherwise its supervisor says next how it was lost.
    else if (member.isEnding) this.#ending.lose(member.loss)
  }

  /** No process can take the request: the core waits for the next connection. */
  get #refusal(): RequestError {
    this.#ending.lose(this.#last?.loss ?? { kind: "closed", message: "no process is connected" })
    return new RequestError({ fate: "notSent", reason: "lost", message: "no process of the server is connected" })
  }

  // --- requests

  get #live(): ReadonlyArray<Choice> {
    if (this.#ending.loss !== undefined) return []
    return this.#members.flatMap((member) => member.live === undefined ? [] : [{ member, live: member.live }])
  }

  #choose(): Choice | undefined {
    const choice = this.#ending.loss === undefined ? choose(this.#members, this.#turn) : undefined
    if (choice !== undefined) this.#turn = this.#members.indexOf(choice.member) + 1
    return choice
  }

  #send<M extends Method>(method: M, params: Params<M>, options: RequestOptions, settle: Settle<M>): () => void {
    switch (method) {
      case "ping":
      case "logging/setLevel":
        return this.#sendToAll(method, params, options, settle)
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.#subscriptions.send(method, params, options, settle)
      default:
        return this.#sendToOne(method, params, options, settle)
    }
  }

  /** A list whose process was lost is asked for again; of other requests the core decides. */
  #sendToOne<M extends Method>(method: M, params: Params<M>, options: RequestOptions, settle: Settle<M>): () => void {
    const choice = this.#taskOwners.of(method, params) ?? this.#choose()
    if (choice === undefined) return this.#sendLater(method, params, options, settle)
    const relay = new Sending.Relay(settle)
    relay.step<Result<M>>((settle) => choice.live.send(method, params, options, settle), (exit) => {
      if (Exit.isSuccess(exit)) this.#taskOwners.note(method, exit.value, choice)
      const error = Sending.errorOf(exit)
      const isLostList = error !== undefined && isLost(error) && method.endsWith("/list")
      if (!isLostList || this.#live.length === 0) return relay.settle(exit)
      relay.step((settle) => this.#sendToOne(method, params, options, settle), relay.settle)
    })
    return relay.cancel
  }

  /** What is sent to a silent process may be lost with it: it waits for an answered probe, or another process. */
  #sendLater<M extends Method>(method: M, params: Params<M>, options: RequestOptions, settle: Settle<M>): () => void {
    if (this.#live.length === 0) return Sending.refuse(settle, this.#refusal)
    const message = "no process of the server answers probes"
    const late = Effect.delay(
      Effect.fail(new RequestError({ fate: "notSent", reason: "timeout", message })),
      options.timeout
    )
    const heard = firstOf(late, this.#next.completed, ...this.#live.map(({ member }) => member.heard))
    const send = (left: RequestOptions, _: void, settle: Settle<M>) => this.#sendToOne(method, params, left, settle)
    return Sending.after(this.#parts.runtime, heard, options, send, settle)
  }

  /** If one answers, the server lives; the others are probed further, each by itself. */
  get #ping(): Effect.Effect<{}, RequestError> {
    return Effect.suspend(() => {
      const probes = this.#live.map(({ live }) => live.probe)
      return Effect.flatMap(Effect.all(probes, { concurrency: "unbounded" }), (errors) => {
        const [error] = errors
        return errors.includes(undefined) ? Effect.succeed({}) : Effect.fail(error ?? this.#refusal)
      })
    })
  }

  /** Later processes are told as well. One answer is enough. */
  #ofEach<M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions
  ): Effect.Effect<Result<M>, RequestError> {
    return Effect.suspend(() => {
      for (const member of this.#members) member.remember(method, params)
      const all = this.#live.map(({ live }) => Sending.ask(live, method, params, options))
      return this.#anyOf(all)
    })
  }

  #notify(method: string, params?: Record<string, unknown>): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => this.#anyOf(this.#live.map(({ live }) => live.connection.notify(method, params))))
  }

  /** The first answer in their order, or the first failure. */
  #anyOf<A>(requests: ReadonlyArray<Effect.Effect<A, RequestError>>): Effect.Effect<A, RequestError> {
    return requests.length === 0
      ? Effect.fail(this.#refusal)
      : Effect.flatMap(
        Effect.all(requests.map(Effect.either), { concurrency: "unbounded" }),
        (answers) => answers.find(Either.isRight) ?? answers[0] as typeof answers[number]
      )
  }

  // --- the connection

  get connection(): Connection {
    const introduction = () => this.#introduction as Connection
    const processes = () => this.#processes
    return {
      get serverInfo() {
        return introduction().serverInfo
      },
      get capabilities() {
        return introduction().capabilities
      },
      get instructions() {
        return introduction().instructions
      },
      get protocolVersion() {
        return introduction().protocolVersion
      },
      sessionId: undefined,
      stateful: false,
      spreads: true,
      peer: {
        get processes() {
          return processes()
        }
      },
      send: (...given) => this.#send(...given),
      notify: (method, params) => this.#notify(method, params),
      onLost: this.#ending.onLost,
      fail: (loss) => {
        const all = this.#live
        this.#ending.claim(loss)
        for (const { live } of all) live.fail(loss)
      }
    }
  }
}
