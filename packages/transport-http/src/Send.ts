/**
 * One request over HTTP and the head of its answer: through undici, or through a `fetch` of the caller's.
 */
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import type { ReadableStream } from "node:stream/web"
import type { Dispatcher } from "undici"
import type { Body } from "./EventStream.js"

/** What is asked. */
export interface Ask {
  readonly method: "GET" | "POST" | "DELETE" | "OPTIONS"
  readonly url: URL
  /** The protocol's own headers, by lower-case name. They win over the user's. */
  readonly headers: Record<string, string>
  readonly body?: string | undefined
  /** Whether it is one of a session, which the server may have lost. */
  readonly inSession?: boolean | undefined
}

/** The head of an answer, its body not yet read. Whoever gets it reads the body or discards it. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Body
}

/** Sends a request and gives its answer, whatever its status. */
export type Send = (ask: Ask, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>

/** The module, loaded when the first connection needs it. */
export type Undici = typeof import("undici")

/** Sends with undici. */
export const byDispatcher =
  ({ request }: Undici, dispatcher: Dispatcher): Send => async ({ body, method, url }, headers, signal) => {
    const answer = await request(url, { method, headers, body: body ?? null, dispatcher, signal })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body }
  }

/** A body of fetch as undici's. */
const bodyOf = ({ body }: Response): Body => {
  const readable = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream)
  return Object.assign(readable, {
    text: () => text(readable),
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
  return { status: response.status, headers: Object.fromEntries(response.headers), body: bodyOf(response) }
}
