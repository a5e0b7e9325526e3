/** Without sessions, each request says by itself who asks, in which version, what they can do, and which log messages they want. */
import type { Cancel, RequestError } from "@mcp-lifeline/core"
import { ExactJson } from "@mcp-lifeline/core/text"
import type { LoggingLevel } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import type { Answer } from "./Answers.js"
import * as Era from "./Era.js"
import * as Failures from "./Failures.js"
import * as Meta from "./Meta.js"
import type { Options, Requests } from "./Requests.js"
import * as StatelessTasks from "./StatelessTasks.js"

/** It names the refused version: another replica, or the same a moment later, takes it. */
const isContradiction = ({ code, data }: RequestError): boolean =>
  code === Era.unsupportedVersion && Era.namedIn(data)?.includes(Era.statelessVersion) === true

export class EnvelopedRequests {
  readonly #requests: Requests
  readonly #envelope: Readonly<Record<string, unknown>>
  #level: LoggingLevel | undefined

  readonly #isTheirOwn: () => boolean

  /** `isTheirOwn`: whether a request may say itself what they can do. */
  constructor(requests: Requests, envelope: Readonly<Record<string, unknown>>, isTheirOwn = () => false) {
    this.#requests = requests
    this.#envelope = envelope
    this.#isTheirOwn = isTheirOwn
  }

  /** Log messages of this level and above. */
  setLevel(level: LoggingLevel): void {
    this.#level = level
  }

  /**
   * The reserved keys are ours, whatever comes from a client; a level may be its own. With `runsTask`, the server may answer with a task,
   * because Lifeline runs it.
   */
  params(given: unknown, runsTask = false): Record<string, unknown> {
    const params = Predicate.isRecord(given) ? given : {}
    const theirs = this.#isTheirOwn() ? Meta.of(params)[Meta.keys.clientCapabilities] : undefined
    const capabilities = runsTask
      ? StatelessTasks.declaring(theirs ?? this.#envelope[Meta.keys.clientCapabilities])
      : theirs
    return ExactJson.copied(params, {
      ...params,
      _meta: ExactJson.copied(Meta.of(params), {
        ...(this.#level === undefined ? {} : { [Meta.keys.logLevel]: this.#level }),
        ...Meta.of(params),
        ...this.#envelope,
        ...(capabilities === undefined ? {} : { [Meta.keys.clientCapabilities]: capabilities })
      })
    })
  }

  /**
   * Sends once more where the server refuses its version and supports it. `settle` is called once, unless the returned function cancels the
   * request.
   */
  send(
    method: Parameters<Requests["send"]>[0],
    params: unknown,
    options: Options,
    settle: (answer: Answer) => void
  ): Cancel {
    const startedAt = performance.now()
    let again: number | undefined
    const sent = this.params(params, options.runsTask)
    const id = this.#requests.send(method, sent, options, (answer) => {
      const error = Exit.isFailure(answer) && answer.cause._tag === "Fail" ? answer.cause.error : undefined
      if (error === undefined || !isContradiction(error)) return settle(answer)
      const timeout = Math.max(1, options.timeout - (performance.now() - startedAt))
      again = this.#requests.send(method, this.params(params, options.runsTask), { ...options, timeout }, settle)
    })
    return (reason) => this.#requests.cancel(again ?? id, Failures.textOf(reason))
  }
}
