/**
 * Asks all other replicas at once, for a short time, and knows which of them did not answer, and what they said last.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { ReplicaPaths } from "@mcp-lifeline/cluster"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { Clock, Effect, Either, Predicate } from "effect"
import type { Gateways, ReplicaName } from "../replica/Gateways.js"
import { clean } from "../text/Text.js"
import * as Api from "./Api.js"
import type { GatewayStatus } from "./GatewayStatus.js"

/** For an answer that people wait for, in milliseconds. */
const patience = 1000

export interface Seen {
  readonly replica: ReplicaName
  /** From when on it is reached, or not, in milliseconds since 1970. */
  readonly since: number
  /** Why it is not reached; `undefined` if it is. */
  readonly problem: string | undefined
  readonly status: GatewayStatus | undefined
}

const connect = (baseUrl: string) =>
  Effect.gen(function*() {
    const http = (yield* HttpClient.HttpClient).pipe(
      HttpClient.mapRequest((request) => HttpClientRequest.setHeader(request, Guard.actionHeader, "1")),
      HttpClient.withTracerDisabledWhen(() => true)
    )
    return yield* HttpApiClient.makeWith(Api.Api, { httpClient: http, baseUrl })
  }).pipe(Effect.provide(FetchHttpClient.layer))

/** It speaks for itself alone. */
export type Client = Effect.Effect.Success<ReturnType<typeof connect>>

export interface OtherGateways {
  readonly look: Effect.Effect<ReadonlyArray<Seen>>
  readonly last: () => ReadonlyArray<Seen>
  /** Fails with a sentence if the replica is not reached. */
  readonly ask: <A, E>(
    replica: ReplicaName,
    question: (client: Client) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | NotReached>
  /** The same, with a short time for it. */
  readonly askSoon: OtherGateways["ask"]
}

export class NotReached {
  readonly _tag = "NotReached"
  readonly problem: string
  constructor(problem: string) {
    this.problem = problem
  }
}

/** Of `fetch`, the reason is inside. */
const innermost = (error: unknown): unknown =>
  Predicate.hasProperty(error, "cause") && error.cause !== undefined ? innermost(error.cause) : error

const problemOf = (error: unknown): string | undefined => {
  if (Predicate.isTagged(error, "ResponseError") && Predicate.hasProperty(error, "response")) {
    const status = Predicate.hasProperty(error.response, "status") ? Number(error.response.status) : 0
    return `it answers with HTTP ${status}${status === 403 ? "; does it have another key?" : ""}`
  }
  if (Predicate.isTagged(error, "ParseError") || Predicate.isTagged(error, "HttpApiDecodeError")) {
    return "it answers like another version of mcp-lifeline"
  }
  if (!Predicate.isTagged(error, "RequestError")) return undefined
  const { code, message } = innermost(error) as NodeJS.ErrnoException
  return clean(message || code || String(error))
}

/** Asks nobody by itself. */
export const make = (gateways: Gateways): OtherGateways => {
  const seen = new Map<string, Seen>()
  const clients = new Map<string, Client>()
  const clientOf = (baseUrl: string): Effect.Effect<Client> =>
    Effect.suspend(() => {
      const known = clients.get(baseUrl)
      return known === undefined
        ? Effect.tap(connect(baseUrl), (client) => Effect.sync(() => clients.set(baseUrl, client)))
        : Effect.succeed(known)
    })
  const askOver = <A, E>({ baseUrl, fetch }: ReplicaPaths.Way, question: (client: Client) => Effect.Effect<A, E>) =>
    clientOf(baseUrl).pipe(
      Effect.flatMap(question),
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "error" }),
      Effect.provideService(FetchHttpClient.Fetch, fetch)
    )
  const ask: OtherGateways["ask"] = (replica, question) =>
    Effect.suspend(() => askOver(gateways.api(replica), question)).pipe(
      Effect.mapError((error) => {
        const problem = problemOf(error)
        return problem === undefined ? error : new NotReached(problem)
      })
    )
  const askSoon: OtherGateways["ask"] = (replica, question) =>
    Effect.timeoutFail(ask(replica, question), {
      duration: patience,
      onTimeout: () => new NotReached(`no answer within ${patience / 1000} s`)
    })

  const note = (replica: ReplicaName, answer: Either.Either<GatewayStatus, string>): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const before = seen.get(replica.id)
      const problem = Either.isLeft(answer) ? answer.left : undefined
      const isSame = before !== undefined && (before.problem === undefined) === (problem === undefined)
      seen.set(replica.id, {
        replica,
        since: isSame ? before.since : now,
        problem,
        status: Either.getOrElse(answer, () => before?.status)
      })
      if (isSame || (before === undefined && problem === undefined)) return Effect.void
      const name = `the replica ${replica.id} at ${clean(replica.address)}`
      return problem === undefined
        ? Effect.logWarning(`${name} is reached again`)
        : Effect.logWarning(`${name} is not reached: ${problem}`)
    })

  const last = (): ReadonlyArray<Seen> => {
    const others = gateways.others()
    const [ids, urls] = [new Set(others.map(({ id }) => id)), new Set(others.map((one) => gateways.api(one).baseUrl))]
    for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id)
    for (const url of clients.keys()) if (!urls.has(url)) clients.delete(url)
    return others.flatMap(({ id }) => seen.get(id) ?? [])
  }

  return {
    ask,
    askSoon,
    last,
    look: Effect.suspend(() =>
      Effect.forEach(gateways.others(), (replica) =>
        askSoon(replica, ({ gateway }) => gateway.status()).pipe(
          Effect.mapError((error) => error instanceof NotReached ? error.problem : String(error)),
          Effect.either,
          Effect.flatMap((answer) => note(replica, answer))
        ), { concurrency: "unbounded", discard: true })
    ).pipe(Effect.map(last))
  }
}
