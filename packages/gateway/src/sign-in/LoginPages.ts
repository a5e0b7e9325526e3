/**
 * A login needs no token of the gateway: it is known by its secret address, and then by the browser in which it was begun. In a cluster it
 * waits at the replica that has begun it, and any replica may get the request: that one asks the others.
 */
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { isPath, type PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Gateways, ReplicaName } from "../replica/Gateways.js"

/** What the other replica needs. Its listener would refuse the Origin, which is that of the public URL. */
const [passed, originHeader] = [["cookie", "sec-fetch-site"], "lifeline-origin"] as const

/** In milliseconds: another replica may wait for tokens. */
const patience = 60_000

/** The replica may be back before the login is over. */
const silent = "A gateway of this cluster, in which this login may wait, does not answer now; load the page again"

/** At a time: anybody can send requests, without a token. */
const maxPassed = 32

const notTaken = new Error("no such login here")

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export interface LoginPages {
  readonly handle: Handler
  /** False if it is something else. */
  readonly handlePassed: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

const ask = async (
  { logins }: Gateways,
  replica: ReplicaName,
  { headers, method = "GET", url = "/" }: IncomingMessage,
  signal: AbortSignal
): Promise<Answer> => {
  const sent = new Headers()
  for (const name of passed) if (headers[name] !== undefined) sent.set(name, String(headers[name]))
  if (headers.origin !== undefined) sent.set(originHeader, headers.origin)
  // `fetch` reads the path once more.
  if (!isPath(url.replace(/\?.*/s, ""))) throw notTaken
  const { baseUrl, fetch } = logins(replica)
  const response = await fetch(baseUrl + url, { method, headers: sent, redirect: "manual", signal })
  const body = await response.text()
  if (response.status === 404) throw notTaken
  return { status: response.status, headers: response.headers, body }
}

/** Of the connection between the replicas. */
const ofConnection = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"])

const relay = (response: ServerResponse, { body, headers, status }: Answer): void => {
  if (response.destroyed) return
  const kept = [...headers].filter(([name]) => !ofConnection.has(name) && name !== "set-cookie")
  response.writeHead(status, {
    ...Object.fromEntries(kept),
    "set-cookie": headers.getSetCookie(),
    connection: "close"
  })
  response.end(body)
}

const refuseForNow = (response: ServerResponse, message: string): void =>
  refuse(response, { status: 503, message, headers: { "Retry-After": "1" } })

export const make = (redirects: PublicRedirects, gateways: Gateways | undefined): LoginPages => {
  let isPassed = 0
  const passOn = async (gateways: Gateways, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const others = gateways.others()
    if (others.length === 0) return redirects.handle(request, response)
    if (isPassed >= maxPassed) {
      return refuseForNow(response, "Too many logins at a time; try again")
    }
    isPassed++
    const end = new AbortController()
    const signal = AbortSignal.any([end.signal, AbortSignal.timeout(patience)])
    try {
      relay(response, await Promise.any(others.map((one) => ask(gateways, one, request, signal))))
    } catch (error) {
      if (response.headersSent) return
      const nobodyHasIt = error instanceof AggregateError && error.errors.every((each) => each === notTaken)
      if (nobodyHasIt) redirects.handle(request, response)
      else refuseForNow(response, silent)
    } finally {
      isPassed--
      end.abort()
    }
  }
  return {
    handle: (request, response) => {
      if (gateways === undefined || redirects.has(request)) redirects.handle(request, response)
      else void passOn(gateways, request, response)
    },
    handlePassed: (request, response, path) => {
      if (!isPath(path)) return false
      if (!redirects.has(request)) {
        refuse(response, { status: 404, message: "There is no such login here" })
        return true
      }
      const origin = request.headers[originHeader]
      if (typeof origin === "string") request.headers.origin = origin
      redirects.handle(request, response)
      return true
    }
  }
}
