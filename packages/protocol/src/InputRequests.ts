/** A server without sessions asks in the place of its result, and the request is sent again with the answers. */
import { RequestError, type RequestOptions } from "@mcp-lifeline/core"
import { Effect, Predicate } from "effect"
import * as Failures from "./Failures.js"
import { ServerRequest } from "./ServerRequest.js"
import type { Options, Parts, Relay } from "./Session.js"

export const maxRounds = 10

/** Before a request is sent again that was answered with no question, in milliseconds. */
const pause = 250

/** Questions of one answer that are asked at once. */
const concurrency = 10

export interface Answering extends Pick<Options, "handlers" | "relay"> {
  readonly read: Parts["readQuestion"]
}

type Answer = Effect.Effect<unknown, unknown>

export interface Question {
  readonly method: string
  readonly params?: Record<string, unknown> | undefined
}

/** Undefined where nobody answers. */
export type Ask = (question: Question) => Answer | undefined

export const relayed = (request: Relay["request"]): Ask => (question) =>
  Effect.tryPromise({
    try: (signal) => request(question, signal),
    catch: (cause) => failed(Failures.describe(cause), cause)
  })

export const by = ({ handlers = {}, read, relay }: Answering): Ask => (question) => {
  if (relay !== undefined) return relayed(relay.request)(question)
  const { elicitation, roots, sampling } = handlers
  switch (question.method) {
    case "elicitation/create":
      return elicitation && Effect.flatMap(
        read("elicitation/create", question),
        ({ params }) => elicitation(params)
      )
    case "sampling/createMessage":
      return sampling && Effect.flatMap(
        read("sampling/createMessage", question),
        ({ params }) => sampling(params)
      )
    case "roots/list":
      return roots && Effect.zipRight(read("roots/list", question), roots)
  }
  return undefined
}

/** The handler's signal is aborted when the call ends. */
const withSignal = (answer: Answer): Answer =>
  Effect.suspend(() => {
    const controller = new AbortController()
    return answer.pipe(
      Effect.provideService(ServerRequest, { signal: controller.signal }),
      Effect.onInterrupt(() => Effect.sync(() => controller.abort()))
    )
  })

const failed = (message: string, cause?: unknown): RequestError =>
  new RequestError({ fate: "answered", reason: "protocol", message, cause })

/** Gives what the request is sent again with, besides its own parameters. Its time stands still while the user is asked. */
export const answer = (
  method: string,
  result: Readonly<Record<string, unknown>>,
  ask: Ask,
  { onevent }: Pick<RequestOptions, "onevent"> = {}
): Effect.Effect<Record<string, unknown>, RequestError> =>
  Effect.suspend(() => {
    const { inputRequests, requestState } = result
    const asked = Object.entries(Predicate.isRecord(inputRequests) ? inputRequests : {})
    const state = typeof requestState === "string" ? { requestState } : {}
    if (asked.length === 0) {
      return typeof requestState === "string"
        ? Effect.as(Effect.sleep(pause), state)
        : Effect.fail(failed(`the server wants input before it answers ${method}, and does not say which`))
    }
    const one = ([key, value]: readonly [string, unknown]) => {
      const wants = Predicate.isRecord(value) ? value["method"] : undefined
      const params = Predicate.isRecord(value) && Predicate.isRecord(value["params"]) ? value["params"] : undefined
      const name = Failures.describe(wants)
      const answer = ask({ method: String(wants), ...(params === undefined ? {} : { params }) })
      if (answer === undefined) {
        return Effect.fail(
          failed(
            `the server wants ${name} before it answers ${method}, and there is no handler for it: ${
              Failures.describe(params?.["message"] ?? "it gives no message")
            }`
          )
        )
      }
      return withSignal(answer).pipe(
        Effect.catchAllDefect((defect) => Effect.fail(defect)),
        Effect.mapBoth({
          onFailure: (cause) =>
            failed(
              `${name}, which the server wants before it answers ${method}, failed: ${Failures.describe(cause)}`,
              cause
            ),
          onSuccess: (answered) => [key, answered] as const
        })
      )
    }
    return Effect.acquireUseRelease(
      Effect.sync(() => onevent?.({ _tag: "Asked" })),
      () => Effect.forEach(asked, one, { concurrency }),
      () => Effect.sync(() => onevent?.({ _tag: "Answered" }))
    ).pipe(Effect.map((answers) => ({ inputResponses: Object.fromEntries(answers), ...state })))
  })
