import { Messages, Turns } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import type { Answer } from "./Answer.js"
import { discard, mediaType, text } from "./Answer.js"
import type { End, Position, Reader } from "./EventStream.js"
import * as EventStream from "./EventStream.js"
import type { HttpFailure } from "./HttpFailure.js"
import { AnswerFailure, CutFailure } from "./HttpFailure.js"

/** For people. */
export const typeOf = (answer: Answer): string => mediaType(answer) || "of no type"

export const hasMessages = (answer: Answer): boolean =>
  mediaType(answer) === "text/event-stream" || mediaType(answer) === "application/json"

/** For a stream that is not to be resumed. */
export const cut = (end: End | undefined): CutFailure =>
  new CutFailure({ detail: "the response stream ended without the response", cause: end?.cause })

/** Reads until `reader.complete`; otherwise gives how the stream ended. `receive` parses JSON text, and returns what hands it on. */
export const read = (
  answer: Answer,
  position: Position,
  reader: Reader,
  receive: (text: string) => () => void
): Effect.Effect<End | undefined, HttpFailure> => {
  const type = mediaType(answer)
  if (type === "text/event-stream") {
    return Effect.flatMap(
      EventStream.read(answer, position, reader),
      (end): Effect.Effect<End | undefined, HttpFailure> => {
        if (reader.complete()) return Effect.succeed(undefined)
        return end.cause instanceof AnswerFailure ? Effect.fail(end.cause) : Effect.succeed(end)
      }
    )
  }
  if (type === "application/json") {
    return Effect.flatMap(
      text(answer, reader.maxBytes, reader.arrivals),
      (body) =>
        Effect.async<undefined, HttpFailure>((resume) =>
          Turns.run(body.length, () => receive(body), (hand) => {
            hand()
            resume(
              reader.complete()
                ? Effect.succeed(undefined)
                : unexpected(`the answer is no response to the request: ${Messages.quoted(body)}`)
            )
          })
        )
    )
  }
  discard(answer.body)
  return unexpected(
    answer.status === 202
      ? "the request was accepted without an answer"
      : `the answer is neither JSON nor an event stream but ${typeOf(answer)}`
  )
}

const unexpected = (what: string): Effect.Effect<never, AnswerFailure> =>
  Effect.fail(new AnswerFailure({ detail: `${what}: is this the address of an MCP endpoint?` }))
