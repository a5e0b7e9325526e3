import type { Connection, Loss, Peer, RequestError, ResourceUsage } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { Ending } from "@mcp-lifeline/core/internal"
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import type { Answer } from "./Answers.js"
import * as Answers from "./Answers.js"
import * as Failures from "./Failures.js"

/** The ids of a connection are numbers: a late answer to this one answers nothing else. */
const probeId = "probe"

/**
 * Asked `server/discover` once and then used for connections of either era, one after the other. `start` and `close` do nothing: `end`
 * closes it.
 */
export class ProbedTransport implements AdapterTransport {
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined
  /** Also where it came late. */
  answer: Answer | undefined

  readonly #ending = new Ending()
  readonly #inner: AdapterTransport
  #onanswer: ((answer: Answer) => void) | undefined

  constructor(inner: AdapterTransport) {
    this.#inner = inner
    inner.onmessage = (message, extra) => {
      if (!("method" in message) && (message.id === probeId || this.onmessage === undefined)) {
        this.#answered(Answers.of(message, false) ?? Exit.fail(Failures.noResponse()))
      } else this.onmessage?.(message, extra)
    }
    inner.onunread = (unread) => {
      if (unread.isOfProtocol && !unread.hasMethod) this.#answered(Exit.fail(Failures.unreadable(unread)))
    }
    inner.onlost = (loss) => {
      this.#ending.lose(loss)
      this.#answered(Exit.fail(Failures.cutOff(loss)))
    }
    inner.onfailed = (id, error) => {
      if (id === probeId) this.#answered(Exit.fail(error))
      else this.onfailed?.(id, error)
    }
  }

  onfailed?: ((id: RequestId, error: RequestError) => void) | undefined

  set onunread(listener: AdapterTransport["onunread"]) {
    this.#inner.onunread = listener
  }

  get loss(): Loss | undefined {
    return this.#ending.loss
  }

  get peer(): Peer {
    return this.#inner.peer
  }

  measure(listener: (usage: ResourceUsage) => void): void {
    this.#inner.measure?.(listener)
  }

  get look(): Connection["look"] {
    return this.#inner.look
  }

  condemn(loss: Loss): void {
    this.#inner.condemn?.(loss)
  }

  get stateful(): boolean {
    return this.#inner.stateful
  }

  set drained(drained: AdapterTransport["drained"]) {
    this.#inner.drained = drained
  }

  set onclose(listener: () => void) {
    this.#inner.onclose = listener
  }

  set onerror(listener: (error: Error) => void) {
    this.#inner.onerror = listener
  }

  /** Called at once where the transport is over already. */
  set onlost(listener: (loss: Loss) => void) {
    this.#ending.onLost(listener)
  }

  /** Starts the transport, and waits for the answer for so many milliseconds. It may still come later. */
  ask(params: Record<string, unknown>, millis: number): Effect.Effect<Answer, ConnectError> {
    const send = Effect.sync(() => {
      this.#inner.send({ jsonrpc: "2.0", id: probeId, method: "server/discover", params })
        .catch((error: unknown) => this.#answered(Exit.fail(Failures.toRequestError(error, "unknown"))))
    })
    return Effect.tryPromise({ try: () => this.#inner.start(), catch: Failures.toConnectError }).pipe(
      Effect.zipRight(send),
      Effect.zipRight(Effect.timeoutTo(this.answered, {
        duration: millis,
        onSuccess: (answer) => answer,
        onTimeout: () => Exit.fail(Failures.timedOut("server/discover"))
      }))
    )
  }

  /** Without a limit. A server that has ended answers with that. */
  get answered(): Effect.Effect<Answer> {
    return Effect.async((resume) => {
      if (this.answer !== undefined) return resume(Effect.succeed(this.answer))
      this.#onanswer = (answer) => resume(Effect.succeed(answer))
    })
  }

  #answered(answer: Answer): void {
    this.answer ??= answer
    this.#onanswer?.(answer)
    this.#onanswer = undefined
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  send(...args: Parameters<AdapterTransport["send"]>): Promise<void> {
    return this.#inner.send(...args)
  }

  withdraw(id: RequestId): boolean {
    return this.#inner.withdraw?.(id) === true
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  end(): Promise<void> {
    return this.#inner.close()
  }
}
