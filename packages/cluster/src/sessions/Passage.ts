/**
 * Passes an HTTP request of a client on to another replica, and the answer back.
 */
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse
} from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"

/**
 * How it went. `notSent`: the other replica has not taken the request. `refused`: nor will it take it. `lost`: it may have taken it, and its answer
 * has not arrived, or not as a whole.
 */
export type Outcome = "done" | "notSent" | "refused" | "lost"

/** In an answer: the replica has not taken the request, because it is not the one that it is for, or stops. */
export const refusedHeader = "lifeline-not-taken"

/** These belong to one connection. */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
  "content-length"
])

const passedOn = (headers: IncomingHttpHeaders): Record<string, string | ReadonlyArray<string>> =>
  Object.fromEntries(
    Object.entries(headers).filter((one): one is [string, string | Array<string>] =>
      one[1] !== undefined && !ofConnection.has(one[0])
    )
  )

/** A JSON-RPC message as an event of a stream, without an id. It must be on one line, as JSON is that we write. */
export const event = (message: string): string => `event: message\ndata: ${message.replaceAll("\n", "")}\n\n`

const isStream = ({ headers }: IncomingMessage): boolean =>
  headers["content-type"]?.startsWith("text/event-stream") === true

/** How long a connection is kept for the next request, in milliseconds: shorter than the other side keeps it, so that nobody uses one that ends. */
const keptFor = 10_000

/** The connections to other replicas. */
export class Agents {
  readonly http = new HttpAgent({ keepAlive: true, timeout: keptFor })
  readonly https = new HttpsAgent({ keepAlive: true, timeout: keptFor })

  destroy(): void {
    this.http.destroy()
    this.https.destroy()
  }
}

/** What is passed on, where to. */
export interface Passage {
  readonly request: IncomingMessage
  readonly body: Buffer
  readonly response: ServerResponse
  readonly url: string
  /** Headers beside those of the client. */
  readonly headers: Readonly<Record<string, string>>
  readonly agents: Agents
}

/**
 * Begins to pass it on. Calls `done` once, unless it is aborted before. With `done` and `lost`, the answer may have begun.
 * Returns a function that aborts it.
 */
export const pass = (
  { agents, body, headers, request, response, url }: Passage,
  done: (outcome: Outcome) => void
): () => void => {
  const isSecure = url.startsWith("https:")
  let isConnected = false
  let isOver = false
  const end = (outcome: Outcome): void => {
    if (isOver) return
    isOver = true
    passing.destroy()
    done(outcome)
  }
  const passing = (isSecure ? httpsRequest : httpRequest)(url, {
    method: request.method,
    agent: isSecure ? agents.https : agents.http,
    headers: { ...passedOn(request.headers), ...headers, "content-length": String(body.length) }
  })
  const finish = (): void => {
    if (isOver) return
    isOver = true
    response.end()
    done("done")
  }
  /** The answer goes into a stream that has begun. */
  const asEvent = (answer: IncomingMessage): void => {
    const texts: Array<string> = []
    answer.setEncoding("utf8").on("data", (text: string) => texts.push(text))
    answer.on("end", () => {
      if (!isOver) response.write(event(texts.join("")))
      finish()
    })
    answer.on("close", () => end("lost"))
  }
  passing.on("socket", (socket) => {
    if (!socket.connecting) isConnected = true
    else socket.once(isSecure ? "secureConnect" : "connect", () => isConnected = true)
  })
  passing.on("error", () => end(isConnected ? "lost" : "notSent"))
  passing.on("response", (answer) => {
    answer.on("error", () => end("lost"))
    if (answer.headers[refusedHeader] !== undefined) {
      answer.resume()
      answer.on("end", () => end("refused"))
      return
    }
    if (response.headersSent && !isStream(answer)) return asEvent(answer)
    if (!response.headersSent) {
      for (const [name, value] of Object.entries(passedOn(answer.headers))) response.setHeader(name, value)
      const { "content-length": length } = answer.headers
      if (length !== undefined) response.setHeader("content-length", length)
      response.writeHead(answer.statusCode ?? 502)
      response.flushHeaders()
    }
    answer.pipe(response, { end: false })
    answer.on("end", finish)
    answer.on("close", () => end("lost"))
  })
  passing.end(body)
  return () => {
    isOver = true
    passing.destroy()
  }
}
