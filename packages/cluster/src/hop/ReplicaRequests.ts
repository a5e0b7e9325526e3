/**
 * Requests between replicas, signed for their receiver (`RequestProof`), which takes each once, for a short time.
 *
 * Clocks may be wrong: a replica that gets a request from another time answers with its own, signed for it; the sender notes the
 * difference and repeats the request.
 */
import { mebibytes } from "@mcp-lifeline/core/text"
import * as Body from "@mcp-lifeline/http-server/Body"
import { notTakenHeader, type Refusal, refuse } from "@mcp-lifeline/http-server/Refusal"
import { Shares } from "@mcp-lifeline/protocol"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ClusterKey from "../ClusterKey.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as uptime from "../uptime.js"
import * as RequestProof from "./RequestProof.js"
import { SeenRequests } from "./SeenRequests.js"

/** Keys that open nothing else. `login`: strangers' requests are passed on with it. */
const infos = {
  replica: "mcp-lifeline cluster: requests between replicas, form 2",
  login: "mcp-lifeline cluster: requests for pages of logins, form 2",
  peer: "mcp-lifeline cluster: questions of replicas and their answers, form 2"
}

export type Purpose = keyof typeof infos

/** Between a request and its receiver, in milliseconds. */
export const maxSkew = 30_000

/** Of one request, and of all, in bytes. */
export const [maxBody, maxBodies] = [mebibytes(16), mebibytes(64)]

const maxClocks = 1000

export interface Outgoing extends RequestProof.SignedRequest {
  readonly body: Uint8Array
}

export interface Signing {
  readonly headers: Readonly<Record<string, string>>
  /** Headers by lower-case name. True if only the time was wrong: then sign and send again. */
  readonly isAnotherTime: (answer: Readonly<Record<string, unknown>>) => boolean
  /** Whether the receiver has signed this text for the request. */
  readonly isAnswer: (answer: Readonly<Record<string, unknown>>, text: string) => boolean
}

export interface Receiver {
  readonly id: ReplicaId
  readonly address: string
}

export interface ReplicaRequests {
  readonly sign: (to: ReplicaId, request: Outgoing) => Signing
  /** Bodies are texts or bytes; URLs begin with the receiver's address. */
  readonly fetchFrom: (to: Receiver) => typeof fetch
  /**
   * Calls `answer` if the body matches its proof; `signed`: headers of an answer that only this replica can give. Otherwise refuses: 421 for another replica,
   * 401 from another time, otherwise 403.
   */
  readonly admit: (
    request: IncomingMessage,
    response: ServerResponse,
    answer: (request: IncomingMessage, signed: (text: string) => Readonly<Record<string, string>>) => void
  ) => void
}

export interface Options {
  readonly keys: ClusterKey.ClusterKeys
  readonly own: () => ReplicaId | undefined
  /** Must not throw. */
  readonly failed: (error: unknown) => void
  /** Default: `replica`. */
  readonly purpose?: Purpose | undefined
  /** Milliseconds since 1970, of a clock that never jumps. Default: the machine's at the start, and the time since. */
  readonly now?: (() => number) | undefined
}

const headers = { [notTakenHeader]: "1" }
const forbidden: Refusal = { status: 403, message: "This is for other replicas of the cluster", headers }
export const misdirected: Refusal = {
  status: 421,
  message: "This replica is not the one that the request is for",
  headers
}
const repeated: Refusal = { status: 403, message: "This request was sent before", headers }
const anotherTime: Refusal = {
  status: 401,
  message: "The clock of the replica that asks differs from this one's",
  headers
}

const failure: Refusal = { status: 500, message: "The request failed inside mcp-lifeline; its log has more" }

const start = Date.now() - uptime.now()
const steadyTime = (): number => Math.round(start + uptime.now())

const nothing = RequestProof.digestOf(new Uint8Array())

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const bytesOf = (body: unknown): Uint8Array => {
  if (body === undefined || body === null) return new Uint8Array()
  if (typeof body === "string") return Buffer.from(body)
  if (body instanceof Uint8Array) return body
  throw new TypeError("only a text or bytes can be signed")
}

/** What of a URL is signed. */
export const targetOf = (url: URL, address: string): string => {
  const base = new URL(address).pathname.replace(/\/$/, "")
  return (url.pathname + url.search).slice(base.length)
}

export const make = (
  { failed, keys: given, now = steadyTime, own, purpose = "replica" }: Options
): ReplicaRequests => {
  const keys = ClusterKey.allDerived(given, infos[purpose])
  const seen = new SeenRequests(2 * maxSkew)
  const bodies = new Shares(maxBodies)
  /** In milliseconds. */
  const ahead = new Map<ReplicaId, number>()

  const sign: ReplicaRequests["sign"] = (to, request) => {
    const proof = RequestProof.sign(keys, request, {
      to,
      time: now() + (ahead.get(to) ?? 0),
      nonce: RequestProof.newNonce(),
      digest: RequestProof.digestOf(request.body)
    })
    return {
      headers: { [RequestProof.header]: RequestProof.encode(proof) },
      isAnotherTime: (answer) => {
        const time = RequestProof.decodeTime(keys, proof, answer[RequestProof.timeHeader])
        if (time === undefined) return false
        ahead.delete(to)
        ahead.set(to, time - now())
        const [first] = ahead.keys()
        if (ahead.size > maxClocks && first !== undefined) ahead.delete(first)
        return true
      },
      isAnswer: (answer, text) => RequestProof.isAnswer(keys, proof, text, answer[RequestProof.signatureHeader])
    }
  }

  const refusalOf = (request: IncomingMessage, proof: RequestProof.Proof): Refusal | undefined => {
    if (proof.to !== own()) return misdirected
    const time = now()
    if (Math.abs(time - proof.time) > maxSkew) {
      const own = { [RequestProof.timeHeader]: RequestProof.encodeTime(keys, proof, time) }
      return { ...anotherTime, headers: { ...headers, ...own } }
    }
    if (!seen.add(proof.nonce, time)) return repeated
    return hasBody(request) || proof.digest === nothing ? undefined : forbidden
  }

  return {
    sign,
    fetchFrom: ({ address, id }) => async (input, init = {}) => {
      const url = new URL(input instanceof Request ? input.url : input)
      const body = bytesOf(init.body)
      const unsigned = Object.fromEntries(new Headers(init.headers))
      const send = async () => {
        const request = { method: init.method ?? "GET", target: targetOf(url, address), headers: unsigned, body }
        const signing = sign(id, request)
        return { signing, response: await fetch(url, { ...init, headers: { ...unsigned, ...signing.headers } }) }
      }
      const { response, signing } = await send()
      if (!signing.isAnotherTime(Object.fromEntries(response.headers))) return response
      await response.body?.cancel()
      return (await send()).response
    },
    admit: (request, response, admitted) => {
      const { headers, method = "", url: target = "" } = request
      const proof = RequestProof.decode(headers[RequestProof.header])
      if (proof === undefined || !RequestProof.isOf(keys, { method, target, headers }, proof)) {
        return refuse(response, forbidden)
      }
      /** An error that escapes from a listener ends the program. */
      const answer = (request: IncomingMessage): void => {
        try {
          admitted(request, (text) => ({
            [RequestProof.signatureHeader]: RequestProof.signAnswer(keys, proof, text)
          }))
        } catch (error) {
          failed(error)
          refuse(response, failure)
        }
      }
      const refusal = refusalOf(request, proof)
      // Unread bytes would cut off the connection, perhaps before the answer has arrived.
      if (refusal !== undefined) return Body.skim(request, refusal, (body) => refuse(response, body.refusal))
      if (!hasBody(request)) return answer(request)
      const room = Body.roomFor(bodies, request, headers["mcp-session-id"]?.toString())
      Body.readBytes(request, maxBody, (body) => {
        if (body._tag === "Refused") {
          return refuse(response, { ...body.refusal, headers: { ...body.refusal.headers, ...forbidden.headers } })
        }
        if (RequestProof.digestOf(body.bytes) !== proof.digest) return refuse(response, { ...forbidden, isRead: true })
        answer(Body.returned(request, body.bytes))
      }, room)
    }
  }
}
