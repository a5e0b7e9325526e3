import { type Bytes, mebibytes } from "@mcp-lifeline/core/text"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import type { LookupFunction } from "node:net"
import type { Agent, buildConnector, Dispatcher } from "undici"
import type { Proxies } from "./Proxy.js"
import { type Reach, refusalIn } from "./Reach.js"
import type { Dispatchers, Undici } from "./Send.js"

/** Loaded only by programs that use HTTP. */
export const undici: Effect.Effect<Undici> = Effect.promise(() => import("./Undici.js"))

/** For what must not wait behind calls. */
const promptSockets = 8

/** A server may leave each of these without a status for a while. */
const answerlessSockets = 32

/** Idle time of a socket, in milliseconds. A proxy that has forgotten a socket swallows the next request, whatever the server promised. */
const maxIdle = 1000

interface Sockets {
  readonly undici: Undici
  /** In milliseconds. */
  readonly connectTimeout: number
  readonly proxies: Proxies
  readonly reach: Reach
}

/** Without idle limits, so that streams and slow answers are not cut. Requests wait for a free socket (T14). */
export const makeDispatchers = (sockets: Sockets, maxSockets: number): Dispatchers => {
  const connect = noting(sockets)
  return {
    calls: makeDispatcher(sockets, connect, { connections: maxSockets }),
    prompt: makeDispatcher(sockets, connect, { connections: promptSockets }),
    answerless: makeDispatcher(sockets, connect, { connections: answerlessSockets })
  }
}

const noting = ({ connectTimeout, reach, undici }: Sockets): buildConnector.connector => {
  const connect = undici.buildConnector({ timeout: connectTimeout })
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null)
      if (socket.remoteAddress !== undefined) reach.reached(socket.remoteAddress)
      callback(null, socket)
    })
}

/** Connects to an address that was checked, not to a name that could lead elsewhere a moment later. */
const guarding = ({ connectTimeout, reach, undici }: Sockets): buildConnector.connector => {
  const free = undici.buildConnector({ timeout: connectTimeout })
  const guarded = undici.buildConnector({ timeout: connectTimeout, lookup: reach.lookup as LookupFunction })
  return (options, callback) => {
    const url = new URL(`${options.protocol}//${options.host ?? options.hostname}`)
    const refusal = reach.refusal(url)
    if (refusal !== undefined) return callback(refusal, null)
    return (reach.isChosen(url) ? free : guarded)(options, callback)
  }
}

const makeDispatcher = (
  { proxies: { http, https }, undici: { Agent, EnvHttpProxyAgent } }: Sockets,
  connect: buildConnector.connector,
  limits: Pick<Agent.Options, "connections">
): Dispatcher => {
  const idle = { keepAliveTimeout: maxIdle, keepAliveMaxTimeout: maxIdle }
  const options = { headersTimeout: 0, bodyTimeout: 0, connect, ...idle, ...limits }
  return http === "" && https === ""
    ? new Agent(options)
    : new EnvHttpProxyAgent({ ...options, httpProxy: http, httpsProxy: https })
}

/** Of an authorization server's answer, in bytes. */
const maxOAuthBytes = mebibytes(1)

const bounded = (body: ReadableStream<Uint8Array>, maxBytes: Bytes): ReadableStream<Uint8Array> => {
  let bytes = 0
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        bytes += chunk.byteLength
        if (bytes > maxBytes) controller.error(new Error(`the answer is longer than ${maxBytes} bytes`))
        else controller.enqueue(chunk)
      }
    })
  )
}

/** Fails without sending if an address is out of reach. Names are checked on connecting. */
export const withinReach = (fetch: FetchLike, reach: Reach): FetchLike => async (url, init) => {
  const refusal = reach.refusal(new URL(url))
  if (refusal !== undefined) throw refusal
  try {
    return await fetch(url, init)
  } catch (error) {
    throw refusalIn(error) ?? error
  }
}

/** Returns the platform's Response, not undici's: the SDK reads errors only from an `instanceof Response`. */
export const makeFetch = ({ fetch }: Undici, dispatcher: Dispatcher): FetchLike => async (url, init) => {
  const answer = await fetch(url, { ...init, dispatcher } as Parameters<typeof fetch>[1])
  const { headers, status, statusText } = answer
  const body = answer.body as ReadableStream<Uint8Array> | null
  const response = new Response(body && bounded(body, maxOAuthBytes), { headers: [...headers], status, statusText })
  // The SDK resolves redirects against it; a constructed Response has none.
  return Object.defineProperty(response, "url", { value: answer.url })
}

/** OAuth requests may outlive the connection: each has a dispatcher that closes itself. */
export const makeOAuthFetch = (sockets: Sockets): FetchLike =>
  withinReach(async (url, init) => {
    const dispatcher = makeDispatcher(sockets, guarding(sockets), { connections: 1 })
    try {
      return await makeFetch(sockets.undici, dispatcher)(url, init)
    } finally {
      // Waits for the body.
      void dispatcher.close().catch(() => {})
    }
  }, sockets.reach)
