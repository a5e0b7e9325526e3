/** Only what the cluster's key has signed for this very question is believed. No redirect is followed, and no proxy used. */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Duration, Effect } from "effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { ConnectionOptions } from "node:tls"
import type { ClusterKeys } from "./ClusterKey.js"
import type { Replica } from "./ClusterStore.js"
import * as ReplicaRequests from "./hop/ReplicaRequests.js"
import type { ReplicaId } from "./LeaseRules.js"
import { path, type Question } from "./PeerAnswers.js"
import { PeerError, type Peers } from "./Peers.js"

export interface Options {
  readonly key: ClusterKeys
  /** Default 5 seconds; `Membership` waits for a sixth of a lease at most. */
  readonly timeout?: Duration.DurationInput | undefined
  /** For `https:` addresses. Default: those of Node.js. */
  readonly ssl?: ConnectionOptions | undefined
}

/** In bytes. */
const maxAnswer = 1024

interface Received {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  /** Empty unless the status is 200. */
  readonly body: string
}

const subjects: Record<Question["ask"], string> = {
  promise: "a promise not to end the lease of",
  consent: "consent to the end of the lease of"
}

const reasons: Record<number, string> = {
  403: "; does it have another key?",
  404: "; is it a replica at all?",
  421: "; another replica is there now, or this one has a new lease"
}

const plain = (text: string): string => text.slice(0, 300).replace(/[^ -~]/g, "?")

const urlOf = (address: string, query: URLSearchParams): URL | undefined => {
  const url = parseUrl(address)
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return undefined
  url.pathname = `${url.pathname.endsWith("/") ? url.pathname.slice(0, -1) : url.pathname}${path}`
  url.search = query.toString()
  return url
}

/** Without user and password. */
const shown = (address: string | undefined): string =>
  address === undefined
    ? "an unknown address"
    : urlOf(address, new URLSearchParams())?.origin ?? JSON.stringify(address.slice(address.lastIndexOf("@") + 1))

/** An error for several addresses of a host has no message. */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as Partial<NodeJS.ErrnoException>
  return message || code || String(error)
}

/** Interruption destroys the request. */
const exchange = (url: URL, options: Https.RequestOptions): Effect.Effect<Received, string> =>
  Effect.async<Received, string>((resume) => {
    const fail = (why: string): void => resume(Effect.fail(why))
    const failed = (error: unknown): void => fail(reasonOf(error))
    const receive = (response: Http.IncomingMessage): void => {
      const { headers, statusCode: status = 0 } = response
      const received = (body: string): void => resume(Effect.succeed({ status, headers, body }))
      // `close` of the request follows.
      response.on("error", () => undefined)
      if (status !== 200) {
        received("")
        return void request.destroy()
      }
      const chunks: Array<Buffer> = []
      let length = 0
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length <= maxAnswer) return
        fail(`its answer is longer than ${maxAnswer} bytes`)
        request.destroy()
      })
      response.on("end", () => received(Buffer.concat(chunks).toString()))
    }
    const request = (url.protocol === "https:" ? Https : Http).request(url, options, receive)
    request.on("error", failed)
    request.on("close", () => fail("the connection ended before its answer"))
    request.end()
    return Effect.sync(() => request.destroy())
    // Options of TLS may be wrong.
  }).pipe(Effect.catchAllDefect((error) => Effect.fail(reasonOf(error))))

/** A `PeerError` says which replica was asked for what, and why there is no answer. */
export const make = ({ key, ssl, timeout = "5 seconds" }: Options): Peers => {
  const requests = ReplicaRequests.make({ keys: key, own: () => undefined, failed: () => {}, purpose: "peer" })
  const limit = Duration.decode(timeout)
  const agents = {
    "http:": new Http.Agent({ keepAlive: true }),
    "https:": new Https.Agent({ ...ssl, keepAlive: true })
  }

  const answerTo = (
    query: URLSearchParams,
    { address, id }: Pick<Replica, "address" | "id">,
    isAgain = false
  ): Effect.Effect<boolean, string> =>
    Effect.gen(function*() {
      if (address === undefined) return yield* Effect.fail("its address is not sealed with the key of this cluster")
      const url = urlOf(address, query)
      if (url === undefined) return yield* Effect.fail("its address is no URL of http: or https:")
      const agent = agents[url.protocol as keyof typeof agents]
      const request = {
        method: "POST",
        target: ReplicaRequests.targetOf(url, address),
        headers: {},
        body: Buffer.alloc(0)
      }
      const signing = requests.sign(id, request)
      const { body, headers, status } = yield* exchange(url, { method: "POST", headers: signing.headers, agent })
      if (!isAgain && signing.isAnotherTime(headers)) return yield* answerTo(query, { address, id }, true)
      if (status !== 200) return yield* Effect.fail(`it answered with the status ${status}${reasons[status] ?? ""}`)
      if (!signing.isAnswer(headers, body)) {
        return yield* Effect.fail("its answer is not signed with the key of this cluster for this question")
      }
      if (body !== "true" && body !== "false") return yield* Effect.fail("its answer has another form")
      return body === "true"
    })

  const ask = (ask: Question["ask"]) => (to: Replica, about: ReplicaId, renewals: number) =>
    Effect.suspend(() => answerTo(new URLSearchParams({ ask, about, renewals: String(renewals) }), to)).pipe(
      Effect.timeoutFail({
        duration: limit,
        onTimeout: () => `no answer came within ${Duration.format(limit)}`
      }),
      Effect.mapError((why) => {
        const asked = `the replica ${to.id} at ${shown(to.address)} was asked for ${subjects[ask]} ${about}`
        return new PeerError({ message: `${plain(asked)}, without success: ${plain(why)}` })
      })
    )

  return { promise: ask("promise"), consent: ask("consent") }
}
