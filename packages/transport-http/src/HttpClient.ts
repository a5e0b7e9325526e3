import { type Arrivals, Messages } from "@mcp-lifeline/protocol"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Deferred, Effect, Exit } from "effect"
import { Readable } from "node:stream"
import type { Dispatcher } from "undici"
import { type Answer, discard, header, someText } from "./Answer.js"
import { Cookies } from "./Cookies.js"
import type { Credentials } from "./Credentials.js"
import { Dispatch } from "./Dispatch.js"
import * as Hedge from "./Hedge.js"
import type { HttpFailure } from "./HttpFailure.js"
import { fromNetwork, oneLine, RedirectFailure, retryAfter, StatusFailure } from "./HttpFailure.js"
import type { Proxy } from "./Proxy.js"
import { type Ask, byDispatcher, byFetch, type Dispatchers, type Sign, type Undici } from "./Send.js"
import * as Wire from "./Wire.js"

export interface HttpClient {
  /** Gives a 2xx answer to `use`; every other answer is a failure. An interruption or failure, also of `use`, aborts only this exchange. */
  readonly exchange: <A, E>(ask: Ask, use: (answer: Answer) => Effect.Effect<A, E>) => Effect.Effect<A, E | HttpFailure>
  /** OPTIONS, which has no effect at the server; succeeds with any answer. */
  readonly probe: (url: URL, withCredentials: boolean) => Effect.Effect<Answer, HttpFailure>
  /** Counts unfinished messages of the server. Default: each by itself. */
  readonly arrivals?: Arrivals.Arrivals | undefined
  /** Default: nothing is kept. */
  readonly cookies?: Cookies | undefined
  readonly destroy: Effect.Effect<void>
}

/** In milliseconds after sending. */
const statusTimeout = { dispatcher: 2000, fetch: 5000 }

/** In bytes a millisecond. */
const slowest = 10

/** Some gateways refuse requests without it. */
const agent = { "user-agent": "mcp-lifeline" }

const maxRedirects = 5
const redirects = new Set([301, 302, 303, 307, 308])

const within = (from: URL, to: URL): boolean =>
  from.origin === to.origin ||
  (from.hostname === to.hostname && from.protocol === "http:" && to.protocol === "https:" && from.port === "" &&
    to.port === "")

const withoutSlash = ({ pathname, search }: URL): string => pathname.replace(/\/$/, "") + search

/** Whether only a trailing slash differs. */
const isSlash = (from: URL, to: URL): boolean =>
  from.pathname !== to.pathname && withoutSlash(from) === withoutSlash(to)

const refusal = (ask: Ask, status: number, to: URL | undefined, left: number): RedirectFailure["why"] | undefined => {
  if (to === undefined) return "invalid"
  if (!within(ask.url, to)) {
    if (ask.url.hostname === to.hostname) return "proxy"
    return ask.url.protocol === "https:" && to.protocol === "http:" ? "plain" : "origin"
  }
  if (to.username !== "" || to.password !== "") return "credentials"
  // 301, 302 and 303 turn a POST into a GET, but frameworks that add a slash with 301 mean the same request.
  if (status < 307 && ask.method !== "GET" && (status === 303 || !isSlash(ask.url, to))) return "method"
  return left === 0 ? "circle" : undefined
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? value as Record<string, unknown> : {}

/** Of an error body, in characters. */
const longestRefusal = 16_384

const explain = (
  text: string,
  contentType: string,
  id: RequestId | undefined
): Pick<StatusFailure, "detail" | "error" | "isResponse"> => {
  const json = asRecord(Wire.parse(text))
  const inner = asRecord(json["error"])
  if (typeof inner["message"] === "string") {
    const isRpc = json["jsonrpc"] === "2.0" && inner["code"] !== undefined
    const { code, message } = Messages.numbered(inner)
    return isRpc
      ? {
        detail: message,
        error: { code, data: inner["data"] },
        isResponse: id !== undefined && String(json["id"]) === String(id)
      }
      : { detail: inner["message"], error: undefined }
  }
  for (const value of [json["error_description"], json["message"], json["detail"], json["error"]]) {
    if (typeof value === "string") return { detail: value, error: undefined }
  }
  return { detail: contentType.includes("html") || text.startsWith("<") ? "" : text, error: undefined }
}

const described = (challenge = ""): string =>
  /\berror_description="([^"\\]{1,1000})"/.exec(challenge)?.[1] ?? /\berror="?([\w-]{1,100})/.exec(challenge)?.[1] ?? ""

/** A short id cannot be guessed from, and may be any word. */
const withoutSession = (text: string, id: string | undefined): string =>
  id === undefined || id.length < 8 ? text : text.replaceAll(id, "***")

/** For a message that has no answer. */
const accepted = (): Answer => ({
  status: 202,
  headers: {},
  body: Object.assign(Readable.from([]), { dump: () => Promise.resolve() })
})

/** `destroy` closes the dispatchers only if they are `owned`. */
export const make = (options: {
  readonly undici: Undici
  /** Where cookies go. */
  readonly origin: string
  readonly credentials: Credentials
  readonly dispatchers: Dispatchers
  readonly owned: boolean
  readonly proxy: Proxy | undefined
  /** Replaces the dispatchers. */
  readonly fetch?: FetchLike | undefined
  readonly sign?: Sign | undefined
  readonly arrivals?: Arrivals.Arrivals | undefined
}): HttpClient => {
  const { arrivals, credentials, dispatchers, origin, proxy, sign, undici } = options
  const cookies = new Cookies(origin)
  /** With which the session has answered last. */
  let taken: string | undefined
  const send = options.fetch === undefined ? byDispatcher(undici, dispatchers) : byFetch(options.fetch)

  const sent = (ask: Ask, headers: Record<string, string>, signal: AbortSignal): Effect.Effect<Answer, HttpFailure> =>
    Effect.flatMap(Effect.clock, (clock) =>
      Effect.async((resume) => {
        const cookie = cookies.header(ask.url, headers["cookie"], clock.unsafeCurrentTimeMillis())
        send(ask, cookie === undefined ? headers : { ...headers, cookie }, signal).then(
          (answer) => {
            cookies.take(answer, ask.url, clock.unsafeCurrentTimeMillis())
            resume(Effect.succeed(answer))
          },
          (cause: unknown) => resume(Effect.fail(fromNetwork(cause, proxy, ask.dispatch?.isDone === false)))
        )
      }))

  /** Without a timely status, the message counts as accepted. */
  const sentAnswerless = Effect.fnUntraced(
    function*(ask: Ask, headers: Record<string, string>, controller: AbortController) {
      const begun = yield* Deferred.make<void>()
      const dispatch = ask.dispatch ?? new Dispatch()
      dispatch.onBegin = () => Deferred.unsafeDone(begun, Effect.void)
      const lapsed = Effect.flatMap(Deferred.await(begun), () => {
        const patience = options.fetch === undefined ? statusTimeout.dispatcher : statusTimeout.fetch
        return Effect.sleep(patience + (ask.body?.length ?? 0) / slowest)
      })
      const answer = yield* Effect.raceFirst(sent({ ...ask, dispatch }, headers, controller.signal), lapsed)
      if (answer !== undefined) return answer
      controller.abort()
      return accepted()
    }
  )

  const unsigned = (ask: Ask, headers: Record<string, string>, controller: AbortController) =>
    ask.answerless === true ? sentAnswerless(ask, headers, controller) : sent(ask, headers, controller.signal)

  const once = sign === undefined ? unsigned : (
    ask: Ask,
    headers: Record<string, string>,
    controller: AbortController
  ): Effect.Effect<Answer, HttpFailure> =>
    Effect.suspend(() => {
      const signature = sign({ method: ask.method, url: ask.url, body: ask.body, headers })
      return Effect.flatMap(unsigned(ask, { ...headers, ...signature.headers }, controller), (answer) => {
        if (!signature.isAnotherTime(answer.headers)) return Effect.succeed(answer)
        discard(answer.body)
        ask.dispatch?.again()
        return unsigned(ask, { ...headers, ...sign({ ...ask, headers }).headers }, controller)
      })
    })

  /** `own`: the user's headers. */
  const statusFailure = Effect.fnUntraced(function*(answer: Answer, ask: Ask, own: Record<string, string>) {
    const now = yield* Clock.currentTimeMillis
    const text = yield* someText(answer, longestRefusal)
    const explained = explain(text, header(answer, "content-type") ?? "", ask.id)
    const challenge = header(answer, "www-authenticate")
    const detail = explained.detail || described(challenge)
    return new StatusFailure({
      status: answer.status,
      // A protocol header names the session (T8).
      detail: oneLine(withoutSession(cookies.mask(credentials.mask(detail)), ask.headers["mcp-session-id"])),
      error: explained.error,
      // Of what is longer, nobody has read the id.
      isResponse: explained.isResponse ?? text.length > longestRefusal,
      retryAfter: retryAfter(header(answer, "retry-after"), now),
      renewable: credentials.renewable,
      challenged: challenge !== undefined,
      authorized: Object.keys(own).length > 0,
      sent: Object.keys(own),
      session: ask.inSession === true
    })
  })

  const follow = (
    ask: Ask,
    headers: Record<string, string>,
    controller: AbortController,
    left: number
  ): Effect.Effect<Answer, HttpFailure> =>
    Effect.flatMap(once(ask, headers, controller), (answer): Effect.Effect<Answer, HttpFailure> => {
      const location = redirects.has(answer.status) ? header(answer, "location") : undefined
      if (location === undefined) return Effect.succeed(answer)
      discard(answer.body)
      const to = parseUrl(location, ask.url)
      const why = refusal(ask, answer.status, to, left)
      if (to === undefined || why !== undefined) {
        return Effect.fail(
          new RedirectFailure({
            status: answer.status,
            to: to === undefined ? "" : to.origin + to.pathname,
            why: why ?? "invalid",
            instead: to !== undefined && isSlash(ask.url, to) ? ask.url.origin + to.pathname : undefined
          })
        )
      }
      ask.dispatch?.again()
      return follow({ ...ask, url: to }, headers, controller, left - 1)
    })

  /** Can be aborted alone. */
  const copy = (ask: Ask, headers: Record<string, string>, all: AbortController) =>
    Effect.suspend(() => {
      const controller = new AbortController()
      const abort = () => controller.abort()
      return Effect.onExit(follow(ask, headers, controller, maxRedirects), (exit) =>
        Effect.sync(() =>
          Exit.isSuccess(exit) ? all.signal.addEventListener("abort", abort, { once: true }) : abort()
        ))
    })

  /** Copies are prompt: behind requests without an answer, they would wait for a socket. */
  const answered = (ask: Ask, headers: Record<string, string>, controller: AbortController) =>
    ask.hedge === undefined
      ? follow(ask, headers, controller, maxRedirects)
      : Hedge.send(
        ask.hedge,
        probe(ask.url, false),
        (isFirst) => copy(isFirst ? ask : { ...ask, prompt: true }, headers, controller)
      )

  const exchange: HttpClient["exchange"] = (ask, use) =>
    Effect.suspend(() => {
      const controller = new AbortController()
      const attempt = (first: boolean): Effect.Effect<Answer, HttpFailure> =>
        Effect.flatMap(credentials.headers, (own) =>
          Effect.flatMap(
            answered(ask, Object.assign({}, agent, own, ask.headers), controller),
            (answer): Effect.Effect<Answer, HttpFailure> => {
              if (answer.status >= 200 && answer.status < 300) {
                if (!first) credentials.accepted()
                if (ask.inSession === true && ask.id !== undefined) taken = own["authorization"]
                return Effect.succeed(answer)
              }
              const challenge = header(answer, "www-authenticate")
              const refused = answer.status === 401 ||
                (answer.status === 403 && challenge?.includes("insufficient_scope") === true)
              return Effect.flatMap(statusFailure(answer, ask, own), (failure) => {
                const { authorization } = own
                // A session may be bound to a token: a new one tells what a new token is worth.
                const isBound = ask.inSession === true && answer.status === 401 && credentials.isRenewed() &&
                  authorization !== undefined && taken !== undefined && taken !== authorization
                const mayWantSession = isBound || (failure.challenged !== true &&
                  (ask.asksEra === true || (ask.mayBeForgotten === true && !failure.authorized)))
                if (!first || !refused || !credentials.renewable || mayWantSession) {
                  return Effect.fail(failure)
                }
                ask.dispatch?.again()
                return Effect.flatMap(
                  credentials.renew(own, { status: answer.status, challenge }),
                  (renewed) => renewed ? attempt(false) : Effect.fail(failure)
                )
              })
            }
          ))
      return Effect.onError(
        Effect.flatMap(attempt(true), use),
        () => Effect.sync(() => controller.abort())
      )
    })

  const probe: HttpClient["probe"] = (url, withCredentials) =>
    Effect.suspend(() => {
      const controller = new AbortController()
      const ask: Ask = { method: "OPTIONS", url, headers: {}, prompt: true }
      return (withCredentials ? credentials.headers : Effect.succeed({})).pipe(
        Effect.flatMap((own) => once(ask, { ...agent, ...own }, controller)),
        Effect.tap((answer) => Effect.sync(() => discard(answer.body))),
        Effect.onError(() => Effect.sync(() => controller.abort()))
      )
    })

  return {
    exchange,
    probe,
    cookies,
    arrivals,
    destroy: options.owned
      ? Effect.promise(() => Promise.allSettled(Object.values(dispatchers).map((each: Dispatcher) => each.destroy())))
      : Effect.void
  }
}
