/**
 * One request over HTTP and the head of its answer: through undici, or through a `fetch` of the caller's.
 */
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Readable } from "node:stream"
import type { ReadableStream } from "node:stream/web"
import type { Dispatcher } from "undici"
import type { Answer, Body } from "./Answer.js"

/** What is asked. */
export interface Ask {
  readonly method: "GET" | "POST" | "DELETE" | "OPTIONS"
  readonly url: URL
  /** The protocol's own headers, by lower-case name. They win over the user's. */
  readonly headers: Record<string, string>
  readonly body?: string | undefined
  /** Whether it is one of a session, which the server may have lost. */
  readonly inSession?: boolean | undefined
  /** It does not wait behind calls: calls may wait for it, or it tells whether the server lives. */
  readonly prompt?: boolean | undefined
}

/** What requests are sent through; the same twice where it is the caller's own. */
export interface Dispatchers {
  readonly calls: Dispatcher
  readonly prompt: Dispatcher
}

/** Sends a request and gives its answer, whatever its status. */
export type Send = (ask: Ask, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>

/** The module, loaded when the first connection needs it. */
export type Undici = typeof import("undici")

/** Sends with undici. A stream from the server is asked for as it is: what compresses it may hold its events back. */
export const byDispatcher =
  ({ request }: Undici, dispatchers: Dispatchers): Send => async ({ body, method, prompt, url }, headers, signal) => {
    const dispatcher = prompt === true ? dispatchers.prompt : dispatchers.calls
    const asked = { "accept-encoding": method === "GET" ? "identity" : "gzip, deflate, br", ...headers }
    const answer = await request(url, { method, headers: asked, body: body ?? null, dispatcher, signal })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body }
  }

/** A body of fetch as undici's. */
const bodyOf = ({ body }: Response): Body => {
  const readable = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream)
  return Object.assign(readable, {
    dump: () => {
      readable.destroy()
      return Promise.resolve()
    }
  })
}

/** Sends with a fetch, which must not follow redirects by itself. */
export const byFetch = (fetch: FetchLike): Send => async ({ body, method, url }, headers, signal) => {
  const init = { method, headers, signal, redirect: "manual", ...(body === undefined ? {} : { body }) } as const
  const response = await fetch(url, init)
  // It has undone this already.
  const { "content-encoding": _, ...rest } = Object.fromEntries(response.headers)
  return { status: response.status, headers: rest, body: bodyOf(response) }
}
