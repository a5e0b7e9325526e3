/**
 * Passes an HTTP request of a client on to another replica, and the answer back.
 */
import { ExactJson, mebibytes } from "@mcp-lifeline/core/internal"
import { notTakenHeader } from "@mcp-lifeline/http-server/Refusal"
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse
} from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import type { Signing } from "../hop/ReplicaRequests.js"

/**
 * How it went.
 * - `done`: the client has the answer.
 * - `notSent`: the other replica was not reached. `notTaken`: it was, and has said that it will not carry the request out.
 * - `lost`: it may have taken the request, and its answer has not arrived, or not as a whole.
 * - `refused`: it will not be carried out anywhere. `failed`: nobody knows what became of it. Both only where a stream has begun, which cannot have
 *   another status.
 */
export type Outcome = "done" | "notSent" | "notTaken" | "lost" | "refused" | "failed"

/** In an answer: which replica has taken the request. What comes without it is of somebody else, such as a proxy. */
export const takenHeader = "lifeline-taken"

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

/** A replica's own, credentials, and those by which browsers say where a page comes from: this replica has looked at them. */
const ofHop = /^(lifeline-|sec-fetch-|origin$|authorization$)/

const passedOn = (headers: IncomingHttpHeaders): Record<string, string | ReadonlyArray<string>> => {
  const named = headers.connection?.toLowerCase().split(",").map((name) => name.trim())
  const passed: Record<string, string | ReadonlyArray<string>> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || ofConnection.has(name) || ofHop.test(name) || named?.includes(name) === true) continue
    passed[name] = value
  }
  return passed
}

/** A JSON-RPC message as an event of a stream, without an id. */
export const event = (message: unknown): string => `event: message\ndata: ${ExactJson.stringify(message)}\n\n`

/** The last of a stream that another replica has to answer: nothing of the request was carried out. A comment, which clients skip. */
export const notTakenMark = ": not taken\n\n"

/** Ends an event of which only a part has come, with a type that no client heeds. After a whole event, it is none. */
const interrupted = "\nevent: interrupted\n\n"

const isStream = (type: unknown): boolean => String(type).startsWith("text/event-stream")

/** Streams that have begun here. Headers that are written at once are not kept. */
const begunHere = new WeakSet<ServerResponse>()

/** Notes that an answer which has begun is a stream of events. */
export const noteStream = (response: ServerResponse): void => void begunHere.add(response)

/** Whether an answer has begun that is a stream of events, to which more can be added. */
export const isStreaming = (response: ServerResponse): boolean =>
  response.headersSent && !response.writableEnded
  && (begunHere.has(response) || isStream(response.getHeader("content-type")))

/** Answers that are no streams are held back until they are whole, up to this size in bytes, so that another replica can still give another one. */
const maxHeld = mebibytes(1)

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
  /** Signs the request with all of them. */
  readonly sign: (headers: Readonly<Record<string, unknown>>) => Signing
  /** Whether the body is sent only when the other replica asks for it. It takes longer, but a connection that ends meanwhile loses nothing. */
  readonly isCautious: boolean
  readonly agents: Agents
  /** Called when the other replica has taken the request, and its answer begins. Must not throw. */
  readonly onBegun: () => void
}

/**
 * Begins to pass it on. Calls `done` once, unless it is aborted before. With `done` and `lost`, the answer may have begun. Returns a function
 * that aborts it, and tells whether the other replica may have taken the request (`lost`, otherwise `notSent`). Throws if the URL is none.
 */
export const pass = (
  { agents, body, headers: added, isCautious, onBegun, request, response, sign, url }: Passage,
  done: (outcome: Outcome) => void
): () => "lost" | "notSent" => {
  const isSecure = url.startsWith("https:")
  let isSent = false
  let isOver = false
  const interrupt = (): void => void (isStreaming(response) && response.write(interrupted))
  const end = (outcome: Outcome): void => {
    if (isOver) return
    isOver = true
    if (outcome !== "done") passing.destroy()
    if (outcome === "lost") interrupt()
    done(outcome)
  }
  const headers = { ...passedOn(request.headers), ...added }
  const signing = sign(headers)
  const passing = (isSecure ? httpsRequest : httpRequest)(url, {
    method: request.method,
    agent: isSecure ? agents.https : agents.http,
    headers: {
      ...headers,
      ...signing.headers,
      "content-length": String(body.length),
      ...(isCautious ? { expect: "100-continue" } : {})
    }
  })
  /** What other programs write may be no answer at all. */
  const guarded = <A>(work: (given: A) => void) => (given: A): void => {
    if (isOver) return
    try {
      work(given)
    } catch {
      end("lost")
    }
  }
  const begin = (answer: IncomingMessage): void => {
    for (const [name, value] of Object.entries(passedOn(answer.headers))) response.setHeader(name, value)
    const { "content-length": length } = answer.headers
    if (length !== undefined) response.setHeader("content-length", length)
    response.writeHead(answer.statusCode ?? 502)
  }
  const stream = (answer: IncomingMessage): void => {
    let last = ""
    answer.on("data", (chunk: Buffer) => {
      last = (last + chunk.toString("latin1", Math.max(0, chunk.length - notTakenMark.length))).slice(
        -notTakenMark.length
      )
    })
    answer.pipe(response, { end: false })
    answer.on("end", () => {
      if (last === notTakenMark) return end("notTaken")
      if (!isOver) response.end()
      end("done")
    })
  }
  const whole = (answer: IncomingMessage): void => {
    const chunks: Array<Buffer> = []
    let length = 0
    const take = guarded((chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.length
      if (length <= maxHeld || response.headersSent) return
      answer.off("data", take)
      answer.off("end", finish)
      begin(answer)
      for (const one of chunks) response.write(one)
      stream(answer)
    })
    const asEvents = (): Outcome => {
      const { statusCode = 0 } = answer
      if (statusCode !== 200) return statusCode < 500 ? "refused" : "failed"
      const messages: unknown = ExactJson.parse(Buffer.concat(chunks).toString())
      for (const message of Array.isArray(messages) ? messages : [messages]) response.write(event(message))
      response.end()
      return "done"
    }
    const finish = guarded(() => {
      if (response.headersSent) return end(asEvents())
      begin(answer)
      response.end(Buffer.concat(chunks))
      end("done")
    })
    answer.on("data", take)
    answer.on("end", finish)
  }
  passing.on("socket", (socket) => {
    if (isCautious) return
    if (!socket.connecting) isSent = true
    else socket.once(isSecure ? "secureConnect" : "connect", () => isSent = true)
  })
  passing.on("error", () => end(isSent ? "lost" : "notSent"))
  const answered = (answer: IncomingMessage): void => {
    // `close` follows.
    answer.on("error", () => undefined)
    answer.on("close", () => end("lost"))
    const status = answer.statusCode ?? 0
    if (signing.isAnotherTime(answer.headers)) return end("notSent")
    if (answer.headers[notTakenHeader] !== undefined) return end("notTaken")
    // Somebody between the replicas may have sent the request on before he refused it.
    if (answer.headers[takenHeader] === undefined) return end(status < 500 || !isSent ? "notTaken" : "lost")
    // Who is to try again later is not told so in a stream that has begun.
    if (response.headersSent && answer.headers["retry-after"] !== undefined) return end("notTaken")
    onBegun()
    if (!isStream(answer.headers["content-type"])) return whole(answer)
    if (!response.headersSent) {
      begin(answer)
      response.flushHeaders()
    }
    stream(answer)
  }
  passing.on("response", guarded(answered))
  if (isCautious) {
    passing.once("continue", () => {
      isSent = true
      passing.end(body)
    })
  } else passing.end(body)
  return () => {
    isOver = true
    passing.destroy()
    if (isSent) interrupt()
    return isSent ? "lost" : "notSent"
  }
}
