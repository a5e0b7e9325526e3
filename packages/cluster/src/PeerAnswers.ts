/** Other replicas' questions about leases: signed requests like any other, whose answers are signed for them. */
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { Either, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ReplicaRequests from "./hop/ReplicaRequests.js"
import type { Answers } from "./Peers.js"

export const path = "/cluster/ask"

const Id = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(100))

/** The query. */
export const Question = Schema.Struct({
  ask: Schema.Literal("promise", "consent") satisfies Schema.Schema<keyof Answers>,
  about: Id,
  renewals: Schema.NumberFromString.pipe(Schema.compose(Schema.NonNegativeInt))
})
export type Question = typeof Question.Type

const decode = Schema.decodeUnknownEither(Question)

const malformed = { status: 400, message: "This is no question of a replica" }

/** Answers requests for `path` that are for this replica; `ReplicaRequests` refuse others. Never throws. */
export const handler = (
  options: Omit<ReplicaRequests.Options, "purpose">,
  answers: Answers
): (request: IncomingMessage, response: ServerResponse) => void => {
  const requests = ReplicaRequests.make({ ...options, purpose: "peer" })
  return (request, response) => {
    request.on("error", () => undefined)
    response.on("error", () => undefined)
    requests.admit(request, response, ({ url = "" }, signed) => {
      const question = decode(Object.fromEntries(new URL(url, "http://replica").searchParams))
      if (Either.isLeft(question)) return refuse(response, malformed)
      const { about, ask, renewals } = question.right
      const text = String(answers[ask](about, renewals))
      response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": text.length, ...signed(text) })
      response.end(text)
    })
  }
}
