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
  /** By lower-case name. They win over the user's. */
  readonly headers: Record<string, string>
  readonly body?: string | undefined
  /** Of the JSON-RPC request. */
  readonly id?: RequestId | undefined
  readonly inSession?: boolean | undefined
  /** Whether it asks for the era: a server with sessions may refuse it for want of one. */
  readonly asksEra?: boolean | undefined
  /** Whether a refusal without a challenge, of a request without credentials, may mean that the session is forgotten. */
  readonly mayBeForgotten?: boolean | undefined
  /** Does not wait behind calls. */
  readonly prompt?: boolean | undefined
  /** Carries a message without an answer: done once sent, and a status counts only if it comes soon. */
  readonly answerless?: boolean | undefined
  /** How it is sent again while unanswered. Default: not. */
  readonly hedge?: Hedge | undefined
  /** Learns of its socket, and can keep it from one. */
  readonly dispatch?: Dispatch | undefined
}

export interface Signature {
  readonly headers: Readonly<Record<string, string>>
  /** Whether the answer only refuses the signature's time: then the request is signed and sent again. */
  readonly isAnotherTime: (answer: Readonly<Record<string, unknown>>) => boolean
}

/** Must not throw. */
export type Sign = (
  request: Pick<Ask, "method" | "url" | "body"> & { readonly headers: Readonly<Record<string, string>> }
) => Signature

export interface Dispatchers {
  readonly calls: Dispatcher
  readonly prompt: Dispatcher
  readonly answerless: Dispatcher
}

export type Send = (ask: Ask, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>

export type Undici = typeof import("./Undici.js")

const withdrawn = (): Error => new Error("the request was withdrawn")

/**
 * Reports when a request is given to a socket: every undici dispatcher calls `onConnect` (`onRequestStart` in newer handlers) before each
 * write, and does not write if that aborts. With neither, the request counts as sent.
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

/** Streams from the server are not compressed: that may hold events back. */
export const byDispatcher =
  ({ request }: Undici, dispatchers: Dispatchers): Send =>
  async ({ answerless, body, dispatch, method, prompt, url }, headers, signal) => {
    const chosen = answerless === true
      ? dispatchers.answerless
      : prompt === true
      ? dispatchers.prompt
      : dispatchers.calls
    // undici uses nothing else of it.
    const dispatcher = dispatch === undefined ? chosen : reporting(chosen, dispatch) as Dispatcher
    const asked = { "accept-encoding": method === "GET" ? "identity" : "gzip, deflate, br", ...headers }
    const answer = await request(url, { method, headers: asked, body: body ?? null, dispatcher, signal })
    dispatch?.begin()
    return { status: answer.statusCode, headers: answer.headers, body: answer.body }
  }

const bodyOf = ({ body }: Response): Body => {
  const readable = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream)
  return Object.assign(readable, {
    dump: () => {
      readable.destroy()
      return Promise.resolve()
    }
  })
}

/** The fetch must not follow redirects. */
export const byFetch = (fetch: FetchLike): Send => async ({ body, dispatch, method, url }, headers, signal) => {
  // A fetch does not report: the request may have left.
  if (dispatch?.begin() === false) throw withdrawn()
  const init = { method, headers, signal, redirect: "manual", ...(body === undefined ? {} : { body }) } as const
  const response = await fetch(url, init)
  // Already decoded by fetch.
  const { "content-encoding": _, ...rest } = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  const answered = cookies.length === 0 ? rest : { ...rest, "set-cookie": cookies }
  return { status: response.status, headers: answered, body: bodyOf(response) }
}
