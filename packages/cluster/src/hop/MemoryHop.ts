import {
  ConnectError,
  type Connection,
  type ConnectOptions,
  type Connector,
  RequestError,
  Sending
} from "@mcp-lifeline/core"
import { Budget, firstOf } from "@mcp-lifeline/core/internal"
import { ExactJson } from "@mcp-lifeline/core/text"
import { type Answer, ClientRequests, Initialize, type Introduction } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, Progress } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Deferred, Effect, Exit, FiberId, type Scope } from "effect"
import * as Conversations from "./Conversations.js"
import type { Hop } from "./Hop.js"
import * as OwnerConnection from "./OwnerConnection.js"

export interface Network {
  /** By the address of a replica. */
  readonly served: Map<string, (server: string) => Conversations.Conversations | undefined>
  readonly isOpen: (from: string, to: string) => boolean
}

type Settle = Sending.Settle<unknown>

const lost = (fate: "notSent" | "unknown", message: string) =>
  Exit.fail(new RequestError({ fate, reason: "lost", message }))

const settled = (answer: Answer): Exit.Exit<unknown, RequestError> => {
  if ("resultText" in answer) return Exit.succeed(ExactJson.parse(answer.resultText))
  if ("result" in answer) return Exit.succeed(answer.result)
  return Exit.fail(new RequestError({ ...answer.error, fate: "answered", reason: "remote" }))
}

class Wire {
  readonly #pending = new Map<Settle, (reason: unknown) => void>()
  readonly #requests = new ClientRequests()
  readonly #conversation: ReturnType<Conversations.Conversations["begin"]>
  readonly #isOpen: () => boolean
  readonly #clock: Clock.Clock
  #ids = 0
  #loss: string | undefined

  constructor(
    served: Conversations.Conversations,
    isOpen: () => boolean,
    clock: Clock.Clock,
    { report }: ConnectOptions
  ) {
    this.#isOpen = isOpen
    this.#clock = clock
    this.#conversation = served.begin({
      requests: this.#requests,
      write: (message: JSONRPCNotification | JSONRPCRequest) => {
        if (isOpen() && !("id" in message)) report({ _tag: "Notification", notification: message })
      },
      saveSetting: () => Promise.resolve()
    })
  }

  /** Returns what cancels it; after that, it is not settled. */
  #send(
    method: string,
    params: Readonly<Record<string, unknown>> | undefined,
    onprogress: ((progress: Progress) => void) | undefined,
    settle: Settle
  ): (reason: unknown) => void {
    const id = ++this.#ids
    const message: JSONRPCRequest = {
      jsonrpc: "2.0",
      id,
      method,
      params: onprogress === undefined ? params : {
        ...params,
        _meta: { ...params?.["_meta"] as object | undefined, progressToken: id }
      }
    }
    const over: Settle = (exit) => {
      if (this.#pending.delete(settle)) settle(exit)
    }
    this.#pending.set(settle, (reason) => {
      if (this.#isOpen()) this.#requests.get(id)?.cancel(reason)
    })
    if (this.#isOpen()) {
      this.#conversation.request(this.#requests.open(message, {
        say: (_, { params }) => {
          if (this.#isOpen()) onprogress?.(params as unknown as Progress)
        },
        answer: (_, answer) => {
          if (this.#isOpen()) over(settled(answer))
        }
      }))
    }
    return (reason) => {
      const cancel = this.#pending.get(settle)
      this.#pending.delete(settle)
      cancel?.(reason)
    }
  }

  request(
    method: string,
    params: Readonly<Record<string, unknown>> | undefined,
    options: Sending.Options = { timeout: Infinity }
  ): Effect.Effect<unknown, RequestError> {
    return Effect.suspend(() => {
      if (this.#loss !== undefined) return lost("notSent", this.#loss)
      const { cancelReason, onevent, progress, resetTimeoutOnProgress, timeout } = options
      const now = (): number => this.#clock.unsafeCurrentTimeMillis()
      let budget = Budget.begin(options, now())
      const left = (): number => Budget.left(budget, now())
      const answered = Deferred.unsafeMake<unknown, RequestError>(FiberId.none)
      const cancel = this.#send(
        method,
        params,
        progress === true
          ? (progress) => {
            if (resetTimeoutOnProgress === true) budget = Budget.heard(budget, now())
            onevent?.({ _tag: "Progress", progress })
          }
          : undefined,
        (exit) => Deferred.unsafeDone(answered, exit)
      )
      const expired = Effect.repeat(Effect.suspend(() => Effect.sleep(left())), { until: () => left() <= 0 }).pipe(
        Effect.zipRight(Effect.fail(
          new RequestError({ fate: "unknown", reason: "timeout", message: `no answer within ${timeout} ms` })
        ))
      )
      return Effect.onExit(
        left() === Infinity ? Deferred.await(answered) : firstOf(Deferred.await(answered), expired),
        () => Effect.sync(() => cancel(cancelReason?.()))
      )
    })
  }

  notify(method: string, params: Record<string, unknown> | undefined): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      if (this.#loss !== undefined) return lost("notSent", this.#loss)
      if (this.#isOpen()) this.#conversation.receive({ jsonrpc: "2.0", method, params })
      return Effect.void
    })
  }

  fail(message: string): void {
    this.#loss ??= message
    for (const settle of [...this.#pending.keys()]) {
      this.#pending.delete(settle)
      settle(lost("unknown", message))
    }
  }

  close(): void {
    if (this.#isOpen()) void this.#conversation.close("the replica has closed the connection")
  }
}

const connect = (
  { isOpen, served }: Network,
  [from, to, server]: readonly [from: string, to: string, server: string],
  options: ConnectOptions
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.gen(function*() {
    const failed = (message: string) =>
      new ConnectError({ backend: "", reason: "unreachable", permanent: false, message })
    const isConnected = (): boolean => isOpen(from, to)
    if (!isConnected()) return yield* Effect.never
    const conversations = served.get(to)?.(server)
    if (conversations === undefined) return yield* failed("the replica does not run the server")
    const clock = yield* Effect.clock
    const wire = yield* Effect.acquireRelease(
      Effect.sync(() => new Wire(conversations, isConnected, clock, options)),
      (wire) => Effect.sync(() => wire.close())
    )
    const introduction = (yield* Effect.mapError(
      wire.request("initialize", { protocolVersion: Initialize.latestVersion }),
      ({ message }) => failed(message)
    )) as Introduction
    yield* Effect.ignore(wire.notify("notifications/initialized", undefined))
    return {
      ...introduction,
      instructions: introduction.instructions,
      sessionId: undefined,
      peer: { url: to },
      stateful: true,
      send: Sending.by(
        yield* Effect.runtime<never>(),
        (method, params, options) => wire.request(method, params, options)
      ),
      notify: (method, params) => wire.notify(method, params),
      // It ends with the owner's word, or lease.
      onLost: () => {},
      fail: ({ message }) => wire.fail(message)
    }
  })

/** `missed`: see `Hop.make`. */
export const make = (network: Network, address: string, missed: (server: string) => void): Hop => {
  const own = new Map<string, Conversations.Conversations>()
  network.served.set(address, (server) => {
    const found = own.get(server)
    if (found === undefined) missed(server)
    return found
  })
  return {
    serve: (server, served) =>
      Effect.tap(Conversations.make(served), (conversations) =>
        Effect.acquireRelease(
          Effect.sync(() => own.set(server, conversations)),
          () =>
            Effect.sync(() => {
              if (own.get(server) === conversations) own.delete(server)
              conversations.goes()
              conversations.close()
            })
        )),
    handle: () => false,
    left: Effect.void,
    connector: (server, { address: owner = "" }) => {
      const inner: Connector = {
        transport: "memory",
        overlap: true,
        target: `${server} at ${owner}`,
        connect: (options) => connect(network, [address, owner, server], options)
      }
      return { ...inner, connect: (options) => OwnerConnection.connect(inner, options) }
    }
  }
}
