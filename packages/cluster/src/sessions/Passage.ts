import { ExactJson, mebibytes } from "@mcp-lifeline/core/text"
import { notTakenHeader } from "@mcp-lifeline/http-server/Refusal"
import { Effect } from "effect"
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
 * - `done`: the client has the answer.
 * - `notSent`: the other replica was not reached. `notTaken`: it will not carry the request out.
 * - `lost`: it may have taken the request, but its whole answer has not arrived.
 * - `refused`: it will not be carried out anywhere. `failed`: its fate is unknown. Both only in a stream that has begun.
 */
export type Outcome = "done" | "notSent" | "notTaken" | "lost" | "refused" | "failed"

/** Which replica has taken the request. An answer without it is somebody else's, such as a proxy's. */
export const takenHeader = "lifeline-taken"

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

/** This replica has checked credentials, and where browsers say that a page comes from. */
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

export const event = (message: unknown): string => `event: message\ndata: ${ExactJson.stringify(message)}\n\n`

/** Nothing was carried out: another replica has to answer. A comment, which clients skip. */
export const notTakenMark = ": not taken\n\n"

/** Ends a partial event, with a type that no client heeds. After a whole event, it is none. */
const interrupted = "\nevent: interrupted\n\n"

const isStream = (type: unknown): boolean => String(type).startsWith("text/event-stream")

/** Headers that are written at once are not kept. */
const begunHere = new WeakSet<ServerResponse>()

export const noteStream = (response: ServerResponse): void => void begunHere.add(response)

export const isStreaming = (response: ServerResponse): boolean =>
  response.headersSent && !response.writableEnded
  && (begunHere.has(response) || isStream(response.getHeader("content-type")))

/** In bytes. Other answers are held until they are whole, so that another replica can still answer. */
const maxHeld = mebibytes(1)

/** In milliseconds: shorter than the other side keeps a connection, so that none is used that ends. */
const keptFor = 10_000

export const agents = Effect.acquireRelease(
  Effect.sync(() => ({
    http: new HttpAgent({ keepAlive: true, timeout: keptFor }),
    https: new HttpsAgent({ keepAlive: true, timeout: keptFor })
  })),
  ({ http, https }) => Effect.sync(() => [http, https].forEach((agent) => agent.destroy()))
)

export interface Passage {
  readonly request: IncomingMessage
  readonly body: Buffer
  readonly response: ServerResponse
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly sign: (headers: Readonly<Record<string, unknown>>) => Signing
  /** Sends the body only when asked for: slower, but a connection that ends meanwhile loses nothing. */
  readonly isCautious: boolean
  readonly agents: Effect.Effect.Success<typeof agents>
  /** When the other replica has taken the request. Must not throw. */
  readonly onBegun: () => void
}

/**
 * Calls `done` once, unless aborted; with `done` and `lost`, the answer may have begun. Returns what aborts it, and tells whether the other
 * replica may have taken the request. Throws if the URL is none.
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
    answer.on("error", () => undefined)
    answer.on("close", () => end("lost"))
    const status = answer.statusCode ?? 0
    if (signing.isAnotherTime(answer.headers)) return end("notSent")
    if (answer.headers[notTakenHeader] !== undefined) return end("notTaken")
    // A proxy between the replicas may have sent the request on before it refused.
    if (answer.headers[takenHeader] === undefined) return end(status < 500 || !isSent ? "notTaken" : "lost")
    // In a stream that has begun, nobody can be told to try again later.
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
