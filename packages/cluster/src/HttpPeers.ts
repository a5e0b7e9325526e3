/** Only what the cluster's key has signed for this very question is believed. No redirect is followed, and no proxy used. */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Duration, Effect, Either, Schema } from "effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { ConnectionOptions } from "node:tls"
import type { ClusterKeys } from "./ClusterKey.js"
import type { Replica } from "./ClusterStore.js"
import type { ReplicaId } from "./LeaseRules.js"
import {
  Answer,
  isSigned,
  maxAnswer,
  newNonce,
  path,
  type Question,
  signatureHeader,
  Signatures
} from "./PeerMessages.js"
import { PeerError, type Peers } from "./Peers.js"

export interface Options {
  readonly key: ClusterKeys
  /** Default 5 seconds; `Membership` waits for a sixth of a lease at most. */
  readonly timeout?: Duration.DurationInput | undefined
  /** For `https:` addresses. Default: those of Node.js. */
  readonly ssl?: ConnectionOptions | undefined
}

interface Received {
  readonly signature: unknown
  readonly body: Buffer
}

const subjects: Record<Question["ask"], string> = {
  promise: "a promise not to end the lease of",
  consent: "consent to the end of the lease of"
}

const reasons: Record<number, string> = {
  403: "; does it have another key?",
  404: "; is it a replica at all?",
  409: "; another replica is there now, or this one has a new lease"
}

const plain = (text: string): string => text.slice(0, 300).replace(/[^ -~]/g, "?")

const urlOf = (address: string): URL | undefined => {
  const url = parseUrl(address)
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return undefined
  url.pathname = `${url.pathname.endsWith("/") ? url.pathname.slice(0, -1) : url.pathname}${path}`
  return url
}

/** Without user and password. */
const shown = (address: string | undefined): string =>
  address === undefined
    ? "an unknown address"
    : urlOf(address)?.origin ?? JSON.stringify(address.slice(address.lastIndexOf("@") + 1))

/** An error for several addresses of a host has no message. */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as Partial<NodeJS.ErrnoException>
  return message || code || String(error)
}

/** Interruption destroys the request. */
const exchange = (url: URL, options: Https.RequestOptions, body: Uint8Array): Effect.Effect<Received, string> =>
  Effect.async<Received, string>((resume) => {
    const fail = (why: string): void => resume(Effect.fail(why))
    const failed = (error: unknown): void => fail(reasonOf(error))
    const receive = (response: Http.IncomingMessage): void => {
      const { headers, statusCode = 0 } = response
      // `close` of the request follows.
      response.on("error", () => undefined)
      if (statusCode !== 200) {
        fail(`it answered with the status ${statusCode}${reasons[statusCode] ?? ""}`)
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
      response.on(
        "end",
        () => resume(Effect.succeed({ signature: headers[signatureHeader], body: Buffer.concat(chunks) }))
      )
    }
    const request = (url.protocol === "https:" ? Https : Http).request(url, options, receive)
    request.on("error", failed)
    request.on("close", () => fail("the connection ended before its answer"))
    request.end(body)
    return Effect.sync(() => request.destroy())
    // Options of TLS may be wrong.
  }).pipe(Effect.catchAllDefect((error) => Effect.fail(reasonOf(error))))

/** A `PeerError` says which replica was asked for what, and why there is no answer. */
export const make = ({ key, ssl, timeout = "5 seconds" }: Options): Peers => {
  const signatures = new Signatures(key)
  const limit = Duration.decode(timeout)
  const agents = {
    "http:": new Http.Agent({ keepAlive: true }),
    "https:": new Https.Agent({ ...ssl, keepAlive: true })
  }

  const answerTo = (question: Question, address: string | undefined): Effect.Effect<boolean, string> =>
    Effect.gen(function*() {
      if (address === undefined) return yield* Effect.fail("its address is not sealed with the key of this cluster")
      const url = urlOf(address)
      if (url === undefined) return yield* Effect.fail("its address is no URL of http: or https:")
      const body = Buffer.from(JSON.stringify(question))
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": body.length,
        [signatureHeader]: signatures.ofQuestion(body)
      }
      const agent = agents[url.protocol as keyof typeof agents]
      const received = yield* exchange(url, { method: "POST", headers, agent }, body)
      if (!isSigned(received.signature, signatures.ofAnswer(question.nonce, received.body))) {
        return yield* Effect.fail("its answer is not signed with the key of this cluster for this question")
      }
      const answer = Schema.decodeUnknownEither(Schema.parseJson(Answer))(received.body.toString())
      if (Either.isLeft(answer)) return yield* Effect.fail("its answer has another form")
      if (answer.right.from !== question.to) {
        return yield* Effect.fail(`the replica ${answer.right.from} answered`)
      }
      return answer.right.answer
    })

  const ask = (ask: Question["ask"]) => (to: Replica, about: ReplicaId, renewals: number) =>
    Effect.suspend(() => answerTo({ ask, to: to.id, about, renewals, nonce: newNonce() }, to.address)).pipe(
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
