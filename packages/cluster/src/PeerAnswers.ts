/**
 * A recorded request can be replayed to the same replica while it has the same id. That cannot make two replicas run a server: nobody waits
 * for the answer to an old question, and `LeaseRules` keep what they have answered. So a replay can only delay the end of a lease, or make
 * a replica without the store stop its servers earlier. HTTPS prevents recording.
 */
import { Either, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { ClusterKeys } from "./ClusterKey.js"
import type { ReplicaId } from "./LeaseRules.js"
import { type Answer, isSigned, maxQuestion, Question, signatureHeader, Signatures } from "./PeerMessages.js"
import type { Answers } from "./Peers.js"

export { path } from "./PeerMessages.js"

/** A connection whose request was not read is closed. */
const refuse = (response: ServerResponse, status: number, headers: Record<string, string> = {}): void => {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { ...headers, "Content-Length": 0, Connection: "close" })
  response.end()
}

const refusal = ({ headers, method }: IncomingMessage): number | undefined => {
  if (method !== "POST") return 405
  if (typeof headers[signatureHeader] !== "string") return 403
  const length = headers["content-length"]
  if (length === undefined || headers["transfer-encoding"] !== undefined) return 411
  return Number(length) <= maxQuestion ? undefined : 413
}

const decode = Schema.decodeUnknownEither(Schema.parseJson(Question))

/**
 * Answers requests for `path` of a server of `node:http` or `node:https`, whose limits for connections and slow requests apply. Never
 * throws.
 *
 * Refuses with 403, without a reason, what is not signed with the key; with 409 if this process is not the replica that is asked; and with
 * 400, 405, 411 or 413 another form. Reads no body longer than 4,096 bytes, or of unknown length.
 */
export const handler = (
  keys: ClusterKeys,
  asked: (id: ReplicaId) => Answers | undefined
): (request: IncomingMessage, response: ServerResponse) => void => {
  const signatures = new Signatures(keys)

  const answer = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    if (!isSigned(request.headers[signatureHeader], signatures.ofQuestion(body))) return refuse(response, 403)
    const decoded = decode(body.toString())
    if (Either.isLeft(decoded)) return refuse(response, 400)
    const { about, ask, nonce, renewals, to } = decoded.right
    const answers = asked(to)
    if (answers === undefined) return refuse(response, 409)
    const text = Buffer.from(JSON.stringify({ from: to, answer: answers[ask](about, renewals) } satisfies Answer))
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": text.length,
      [signatureHeader]: signatures.ofAnswer(nonce, text)
    })
    response.end(text)
  }

  return (request, response) => {
    /** What escapes from a listener would end the process. */
    const guarded = (work: () => void): void => {
      try {
        work()
      } catch {
        refuse(response, 500)
      }
    }
    request.on("error", () => undefined)
    response.on("error", () => undefined)
    guarded(() => {
      const status = refusal(request)
      if (status !== undefined) return refuse(response, status, status === 405 ? { Allow: "POST" } : {})
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => guarded(() => answer(request, response, Buffer.concat(chunks))))
    })
  }
}
