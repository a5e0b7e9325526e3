/**
 * Each request says by itself who asks, in which version and what they can do. What the server wants to know it asks in place of a result.
 */
import type { Cancel, Connection, Kind, Loss, Method, RequestOptions, ServerNotification } from "@mcp-lifeline/core"
import type { ConnectError } from "@mcp-lifeline/core"
import { RequestError, Sending } from "@mcp-lifeline/core"
import { Ending } from "@mcp-lifeline/core/internal"
import type { Scope } from "effect"
import { Effect, Exit, Runtime } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import type { Answer } from "./Answers.js"
import * as Discovery from "./Discovery.js"
import { EnvelopedRequests } from "./EnvelopedRequests.js"
import * as Era from "./Era.js"
import * as Failures from "./Failures.js"
import * as InputRequests from "./InputRequests.js"
import { Link } from "./Link.js"
import { ListenStream } from "./ListenStream.js"
import * as Meta from "./Meta.js"
import { Requests } from "./Requests.js"
import type { Options, Parts } from "./Session.js"
import { SpeaksSessions } from "./SpeaksSessions.js"
import * as StatelessTasks from "./StatelessTasks.js"
import * as Timers from "./Timers.js"

/**
 * Connects with the answer to `server/discover`.
 *
 * Starts the transport, and closes it with the scope or, without a connection, at once. There is no time limit. `discovered`: an answer
 * that has come already, over this transport. `ping` asks `server/discover` again: the protocol has no other sign of life. If the
 * server no longer speaks it, the connection is lost as a session would be.
 */
export const connect = (
  parts: Parts,
  transport: AdapterTransport,
  kind: "http" | "stdio",
  options: Options,
  discovered?: Answer
): Effect.Effect<Connection, ConnectError | SpeaksSessions, Scope.Scope> =>
  allOrNothing(open(parts, transport, kind, options, discovered))

const open = (
  parts: Parts,
  transport: AdapterTransport,
  kind: "http" | "stdio",
  options: Options,
  discovered: Answer | undefined
): Effect.Effect<Connection, ConnectError | SpeaksSessions, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const runFork = Runtime.runFork(runtime)
    const log = (message: string): void => {
      runFork(Effect.logDebug(`MCP: ${message.slice(0, 200)}`))
    }
    const timers = yield* Timers.current
    const requests = new Requests(transport, log, timers)
    let listening: ListenStream | undefined
    const link = new Link(transport, {
      requests,
      notified: (notification) => {
        const taken = taking(notification, listening)
        if (taken !== undefined) options.report({ _tag: "Notification", notification: taken })
      },
      log
    })
    const endAll = (loss: Loss): void => {
      link.end(loss)
      listening?.end(loss)
    }

    let closing = false
    const ending = new Ending()
    const lose = (loss: Loss): void => {
      if (closing || !ending.claim(loss)) return
      link.refuse(loss)
      requests.endUnsent(loss)
      ending.tell()
      // A server that no longer speaks this protocol refuses each request by itself.
      if (loss.kind === "session") listening?.end(loss)
      else endAll(loss)
    }
    transport.onlost = lose
    transport.drained = options.relay?.drained
    transport.onclose = () => lose({ kind: "closed", message: "the transport was closed" })
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        endAll({ kind: "closed", message: "the connection was closed" })
        return Effect.promise(() => transport.close())
      })
    )
    yield* Effect.tryPromise({ try: () => link.start(), catch: Failures.toConnectError })

    const { handlers, relay } = options
    const ask = InputRequests.by({ handlers, relay, read: parts.readQuestion })
    const enveloped = new EnvelopedRequests(requests, Discovery.envelopeOf(options), () => relay?.isStateless === true)

    const request = (
      method: Parameters<EnvelopedRequests["send"]>[0],
      params: unknown,
      options: Sending.Options
    ): Effect.Effect<Record<string, unknown>, RequestError> =>
      Effect.async((resume) => {
        const cancel = enveloped.send(method, params, options, resume)
        return Effect.sync(() => cancel(options.cancelReason?.()))
      })

    const discover = (timeout: number): Effect.Effect<Answer> =>
      Effect.exit(request("server/discover", undefined, { timeout }))

    const answer = discovered ?? (yield* discover(Number.POSITIVE_INFINITY))
    const verdict = Era.verdict(Discovery.outcomeOf(answer), kind)
    switch (verdict._tag) {
      case "None":
        return yield* Discovery.notHeard(answer)
      case "Sessions":
        return yield* new SpeaksSessions({ answer: Discovery.answerText(answer) })
      case "Unsupported":
        return yield* Failures.unsupported(verdict.versions.join(", "))
    }
    const { capabilities, instructions, serverInfo } = yield* Discovery.introductionOf(verdict.discovered, transport)
    transport.setProtocolVersion?.(Era.statelessVersion)

    const listen = new ListenStream(
      {
        open: (filter, settle) => {
          const params = enveloped.params({ notifications: filter })
          const id = requests.send("subscriptions/listen", params, { timeout: Number.POSITIVE_INFINITY }, settle)
          return { id, cancel: () => requests.cancel(id, "nobody listens any more") }
        },
        isOver: () => link.ended !== undefined,
        report: options.report,
        log
      },
      capabilities,
      yield* Effect.clock
    )
    listening = listen
    transport.onbeat = (id) => listen.beat(id)
    yield* Effect.forkScoped(Effect.interruptible(listen.run))

    const contradicted = (answer: Answer): RequestError => {
      const message = `the server no longer speaks protocol version ${Era.statelessVersion}: ${
        Discovery.answerText(answer)
      }`
      lose({ kind: "session", message })
      return new RequestError({ fate: "rejected", reason: "session", message })
    }

    const ping = ({ timeout }: RequestOptions): Effect.Effect<object, RequestError> =>
      Effect.flatMap(Effect.suspend(() => discover(timeout)), (answer) => {
        const { _tag } = Era.verdict(Discovery.outcomeOf(answer), "http")
        if (_tag === "Stateless") return Effect.succeed({})
        if (_tag === "None" && Exit.isFailure(answer)) return answer
        return Effect.fail(contradicted(answer))
      })

    const aboutTask = (
      method: Method,
      params: unknown,
      options: Sending.Options
    ): Effect.Effect<unknown, RequestError> =>
      StatelessTasks.request(method, params, options, {
        ask,
        timeout: Math.min(options.timeout, taskTimeout),
        decode: (result) => parts.decodeStateless("tools/call", result, options.resultSchema),
        send: (method, params, timeout) =>
          request(method, params, { timeout, runsTask: true, cancelReason: options.cancelReason })
      })

    /** Asks again with the answers where the server wants input first. Their time does not count. */
    const call = (
      method: Method,
      params: unknown,
      options: RequestOptions,
      settle: Sending.Settle<unknown>,
      round = 0
    ): Cancel => {
      const steps = new Sending.Relay(settle)
      const startedAt = timers.now()
      steps.step<Record<string, unknown>>((settle) => enveloped.send(method, params, options, settle), (answer) => {
        if (Exit.isFailure(answer)) return steps.settle(answer)
        const result = answer.value
        listen.listed(kindsIn[method] ?? [])
        const task = options.runsTask === true ? StatelessTasks.created(result) : undefined
        if (task !== undefined) return steps.settle(Exit.succeed(task))
        if (result["resultType"] !== "input_required" || relay?.isStateless === true) {
          return steps.settle(parts.decodeStateless(method, result, options.resultSchema))
        }
        if (round === InputRequests.maxRounds) return steps.settle(Exit.fail(Failures.tooManyRounds(method, round)))
        const taken = timers.now() - startedAt
        const { maxTotalTimeout, resetTimeoutOnProgress, timeout } = options
        const again = {
          ...Sending.reached(options),
          timeout: resetTimeoutOnProgress === true ? timeout : Math.max(timeout - taken, 1),
          maxTotalTimeout: maxTotalTimeout === undefined ? undefined : Math.max(maxTotalTimeout - taken, 1)
        }
        const answered = InputRequests.answer(method, result, ask, options)
        steps.step(Sending.effect(runtime, answered, options), (given) => {
          if (Exit.isFailure(given)) return steps.settle(given)
          const more = { ...params as object, ...given.value }
          steps.step((settle) => call(method, more, again, settle, round + 1), steps.settle)
        })
      })
      return steps.cancel
    }

    /** What a server with sessions would keep: we keep it, and say it in other requests. */
    const byEffect = Sending.by(runtime, (method, params, options) => {
      switch (method) {
        case "ping":
          return ping(options)
        case "logging/setLevel":
          if (capabilities.logging === undefined) return Effect.fail(Failures.unsupportedMethod(method))
          enveloped.setLevel(params.level)
          return Effect.succeed({})
        case "resources/subscribe":
          return Effect.timeoutFail(Effect.as(listen.subscribe(params.uri), {}), {
            duration: options.timeout,
            onTimeout: () => Failures.timedOut(method)
          })
        case "resources/unsubscribe":
          listen.unsubscribe(params.uri)
          return Effect.succeed({})
        default:
          return aboutTask(method, params, options)
      }
    })

    const send = (
      method: Method,
      params: unknown,
      options: RequestOptions,
      settle: Sending.Settle<unknown>
    ): Cancel => {
      if (link.ended !== undefined) return Sending.refuse(settle, Failures.refused(link.ended))
      const { resultSchema, runsTask, task } = options
      if (ownMethods.has(method) || (runsTask === true && method !== "tools/call")) {
        return byEffect(method, params as never, options, settle)
      }
      // The server decides which calls are tasks.
      if (runsTask === true) return call(method, params, { ...options, task: undefined }, settle)
      const wrong = task === undefined
        ? resultSchema === undefined ? undefined : parts.wrong(resultSchema)
        : new TypeError(`protocol version ${Era.statelessVersion} has no option task`)
      return wrong === undefined
        ? call(method, params, options, settle)
        : Sending.refuse(settle, Failures.misused(wrong))
    }

    const notify: Connection["notify"] = (method, params) =>
      Effect.suspend(() => {
        if (link.ended !== undefined) return Effect.fail(Failures.refused(link.ended))
        // There is no handshake to end, and the server has asked for no roots.
        if (method === "notifications/initialized" || method === "notifications/roots/list_changed") return Effect.void
        return Effect.tryPromise({
          try: () => transport.send({ jsonrpc: "2.0", method, params: enveloped.params(params) }),
          catch: (error) => Failures.toRequestError(error, "notSent")
        })
      })

    transport.measure?.((usage) => options.report({ _tag: "Usage", usage }))
    return {
      serverInfo,
      capabilities,
      instructions,
      protocolVersion: Era.statelessVersion,
      sessionId: undefined,
      peer: transport.peer,
      stateful: transport.stateful,
      look: transport.look,
      send: send as Connection["send"],
      notify,
      onLost: ending.onLost,
      fail: (loss) => {
        if (loss.isWedged === true) transport.condemn?.(loss)
        endAll(loss)
      }
    }
  })

/** For a request about a task that waits for its end, in milliseconds. */
const taskTimeout = 60_000

const ownMethods: ReadonlySet<string> = new Set<Method>([
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe"
])

const kindsIn: { readonly [M in Method]?: ReadonlyArray<Kind> } = {
  "tools/list": ["tools"],
  "prompts/list": ["prompts"],
  "resources/list": ["resources"],
  "resources/templates/list": ["resourceTemplates"]
}

/** Without what concerns the stream that it came on; undefined where it concerns that alone. */
const taking = (
  notification: ServerNotification,
  listening: ListenStream | undefined
): ServerNotification | undefined => {
  const { method, params } = notification
  const { _meta: _, ...others } = params ?? {}
  const { [Meta.keys.subscriptionId]: id, ...kept } = Meta.of(params)
  if (method === "notifications/subscriptions/acknowledged") {
    listening?.acknowledged(id, params?.["notifications"])
    return undefined
  }
  if (id === undefined) return notification
  if (listening?.accepts(method, params) === false) return undefined
  return { method, params: Object.keys(kept).length === 0 ? others : { ...others, _meta: kept } }
}
