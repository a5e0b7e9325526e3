import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { fault, type Reply, sse, type Turn } from "./HttpExchange.js"

/**
 * What a server does with a request instead of answering. `carryOut` carries it out (calls the tool, makes the session) and returns the
 * answer unsent; then the client cannot know whether it was carried out.
 */
export type HttpFault = (turn: Turn, carryOut: () => Promise<Reply>) => void | Promise<void>

export interface When {
  /** Whether the request is carried out before it fails. Default false. */
  readonly carriedOut?: boolean | undefined
}

const after = (when: When | undefined, act: (turn: Turn, reply: Reply | undefined) => void): HttpFault =>
  when?.carriedOut === true
    ? async (turn, carryOut) => act(turn, await carryOut())
    : (turn) => act(turn, undefined)

/** Only a status; `retryAfter` in seconds or as a date. */
export const status = (
  code: number,
  options: When & {
    readonly retryAfter?: number | Date | undefined
    readonly headers?: Record<string, string> | undefined
    readonly body?: string | undefined
  } = {}
): HttpFault =>
  after(options, ({ response }) => {
    const { body, headers, retryAfter } = options
    const hint = retryAfter instanceof Date ? retryAfter.toUTCString() : retryAfter?.toString()
    fault(response, code, { ...(hint === undefined ? {} : { "retry-after": hint }), ...headers }, body)
  })

/** Never answers: without headers, or after them. */
export const hang = (where: "beforeHeaders" | "afterHeaders" = "beforeHeaders", when?: When): HttpFault =>
  after(when, ({ response }, reply) => {
    if (where === "afterHeaders") sse(response, sessionOf(reply))
  })

/** Resets the TCP connection before the answer. */
export const reset = (when?: When): HttpFault => after(when, ({ socket }) => socket.resetAndDestroy())

/** Closes the TCP connection before the answer. */
export const close = (when?: When): HttpFault => after(when, ({ socket }) => socket.destroy())

/** Begins an event stream, and cuts the TCP connection before the response. */
export const cut = (when?: When): HttpFault =>
  after(when, ({ response, socket }, reply) => {
    sse(response, sessionOf(reply)).write(": soon\n\n", () => socket.destroy())
  })

/** Begins an event stream, and ends it properly without the response. */
export const end = (when?: When): HttpFault =>
  after(when, ({ response }, reply) => {
    sse(response, sessionOf(reply)).end(": nothing\n\n")
  })

/** Sends the answer a few bytes at a time. */
export const drip =
  (options: { readonly bytes: number; readonly everyMillis: number }): HttpFault => async ({ response }, carryOut) => {
    const { body, headers, status } = await carryOut()
    const bytes = Buffer.from(body)
    response.writeHead(status, headers)
    response.flushHeaders()
    let sent = 0
    const timer = setInterval(() => {
      response.write(bytes.subarray(sent, sent + options.bytes))
      sent += options.bytes
      if (sent < bytes.length) return
      clearInterval(timer)
      response.end()
    }, options.everyMillis)
    response.on("close", () => clearInterval(timer))
  }

/** Carries out the request at once, and answers this many milliseconds later. */
export const late = (millis: number): HttpFault => async ({ response }, carryOut) => {
  const { body, headers, status } = await carryOut()
  const timer = setTimeout(() => fault(response, status, headers, body), millis)
  response.on("close", () => clearTimeout(timer))
}

/** Answers with a tool result of so many bytes. */
export const huge = (bytes: number): HttpFault => ({ message, response }) => {
  const head = `{"jsonrpc":"2.0","id":${
    JSON.stringify(message?.id ?? null)
  },"result":{"content":[{"type":"text","text":"`
  const block = Buffer.alloc(65_536, "x")
  response.writeHead(200, { "content-type": "application/json" })
  response.write(head)
  let left = bytes
  const more = () => {
    while (left > 0) {
      const taken = response.write(block.subarray(0, Math.min(left, block.length)))
      left -= block.length
      if (!taken) return
    }
    response.off("drain", more)
    response.end('"}]}}')
  }
  response.on("drain", more)
  more()
}

/** Compresses the answer with an HTTP coding; `raw` is `deflate` without the zlib header. Other codings are only claimed. */
export const encoded = (coding: string): HttpFault => async ({ response }, carryOut) => {
  const { body, headers, status } = await carryOut()
  const name = coding === "raw" ? "deflate" : coding
  response.writeHead(status, { ...headers, "content-encoding": name })
  response.end(compress[coding]?.(Buffer.from(body)) ?? body)
}

const compress: { readonly [coding: string]: (bytes: Buffer) => Buffer } = {
  gzip: gzipSync,
  deflate: deflateSync,
  raw: deflateRawSync,
  br: brotliCompressSync
}

/** An event stream of one endless line; `onSent` gets the number of accepted bytes. */
export const endlessLine = (onSent?: (bytes: number) => void): HttpFault => ({ response, socket }) => {
  sse(response).write("data: ")
  const block = Buffer.alloc(65_536, "x")
  const more = () => {
    while (!response.destroyed && response.write(block)) {}
    onSent?.(socket.bytesWritten)
  }
  response.on("drain", more)
  more()
}

/** Answers under another content type. */
export const contentType = (type: string): HttpFault => async ({ response }, carryOut) => {
  const { body, headers, status } = await carryOut()
  fault(response, status, { ...headers, "content-type": type }, body)
}

const sessionOf = (reply: Reply | undefined): Record<string, string> => {
  const id = reply?.headers["mcp-session-id"]
  return id === undefined ? {} : { "mcp-session-id": id }
}
