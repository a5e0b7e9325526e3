/**
 * One request over HTTP and the head of its answer: through undici, or through a `fetch` of the caller's.
 */
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Readable } from "node:stream"
import type { ReadableStream } from "node:stream/web"
import type { Dispatcher } from "undici"
import type { Answer, Body } from "./Answer.js"
import type { Dispatch } from "./Dispatch.js"
import type { Hedge } from "./Hedge.js"

export interface Ask {
  readonly method: "GET" | "POST" | "DELETE" | "OPTIONS"
  readonly url: URL
  /** The protocol's own headers, by lower-case name. They win over the user's. */
  readonly headers: Record<string, string>
  readonly body?: string | undefined
  /** Of the JSON-RPC request in the body. */
  readonly id?: RequestId | undefined
  /** Whether it is one of a session, which the server may have lost. */
  readonly inSession?: boolean | undefined
  /** Whether it asks what the server speaks, and a server with sessions may refuse it for want of one. */
  readonly asksEra?: boolean | undefined
  /**
   * Whether a refusal that names no way to log in, of a request without credentials, may mean that the session is forgotten: whoever has begun it
   * without credentials is not asked for some.
   */
  readonly mayBeForgotten?: boolean | undefined
  /** It does not wait behind calls: calls may wait for it, or it tells whether the server lives. */
  readonly prompt?: boolean | undefined
  /** It carries a message that has no answer, so it is done when it has been sent: a status counts that comes soon. */
  readonly answerless?: boolean | undefined
  /** How it is sent again while it has no answer. Default: it is not. */
  readonly hedge?: Hedge | undefined
  /** Learns when it is given to a socket, and keeps it from one where it was withdrawn. Default: nobody asks. */
  readonly dispatch?: Dispatch | undefined
}

export interface Signature {
  readonly headers: Readonly<Record<string, string>>
  /** Whether the answer only says that the signature is of another time: then the request is signed anew, and sent once more. */
  readonly isAnotherTime: (answer: Readonly<Record<string, unknown>>) => boolean
}

/** Signs a request just before it is sent. Must not throw. */
export type Sign = (
  request: Pick<Ask, "method" | "url" | "body"> & { readonly headers: Readonly<Record<string, string>> }
) => Signature

/** What requests are sent through; the same twice where it is the caller's own. */
export interface Dispatchers {
  readonly calls: Dispatcher
  readonly prompt: Dispatcher
  readonly answerless: Dispatcher
}

/** Sends a request and gives its answer, whatever its status. */
export type Send = (ask: Ask, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>

/** The module, loaded when the first connection needs it. */
export type Undici = typeof import("./Undici.js")

const withdrawn = (): Error => new Error("the request was withdrawn")

/**
 * A dispatcher that reports when a request is given to a socket. Every dispatcher of undici calls `onConnect` (`onRequestStart` in newer
 * handlers) before it writes the request, and again where it writes it once more; what aborts there is not written. A handler with neither
 * would not report, so its request counts as sent.
 */
const reporting = (dispatcher: Dispatcher, dispatch: Dispatch): Pick<Dispatcher, "dispatch"> => ({
  dispatch: (options, handler) => {
    const { onConnect, onRequestStart } = handler
    if (onConnect !== undefined) {
      handler.onConnect = function(abort, ...others) {
        if (dispatch.begin()) onConnect.call(this, abort, ...others)
        else abort(withdrawn())
      }
    }
    if (onRequestStart !== undefined) {
      handler.onRequestStart = function(controller, context) {
        if (dispatch.begin()) onRequestStart.call(this, controller, context)
        else controller.abort(withdrawn())
      }
    }
    if (onConnect === undefined && onRequestStart === undefined) dispatch.begin()
    return dispatcher.dispatch(options, handler)
  }
})

/** Sends with undici. A stream from the server is asked for as it is: what compresses it may hold its events back. */
export const byDispatcher =
  ({ request }: Undici, dispatchers: Dispatchers): Send =>
  async ({ answerless, body, dispatch, method, prompt, url }, headers, signal) => {
    const chosen = answerless === true
      ? dispatchers.answerless
      : prompt === true
      ? dispatchers.prompt
      : dispatchers.calls
    // Of a dispatcher, undici uses nothing else.
    const dispatcher = dispatch === undefined ? chosen : reporting(chosen, dispatch) as Dispatcher
    const asked = { "accept-encoding": method === "GET" ? "identity" : "gzip, deflate, br", ...headers }
    const answer = await request(url, { method, headers: asked, body: body ?? null, dispatcher, signal })
    dispatch?.begin()
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
export const byFetch = (fetch: FetchLike): Send => async ({ body, dispatch, method, url }, headers, signal) => {
  // Nobody can see into it: what it was given may have left.
  if (dispatch?.begin() === false) throw withdrawn()
  const init = { method, headers, signal, redirect: "manual", ...(body === undefined ? {} : { body }) } as const
  const response = await fetch(url, init)
  // It has undone this already.
  const { "content-encoding": _, ...rest } = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  const answered = cookies.length === 0 ? rest : { ...rest, "set-cookie": cookies }
  return { status: response.status, headers: answered, body: bodyOf(response) }
}
