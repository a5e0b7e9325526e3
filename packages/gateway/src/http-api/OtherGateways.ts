/**
 * Asks other replicas what they say of themselves, and passes commands on.
 */
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { Clock, Effect, Either, Predicate, Schema } from "effect"
import type { Gateways, ReplicaName } from "../replica/Gateways.js"
import { clean } from "../text/Text.js"
import { GatewayStatus } from "./GatewayStatus.js"
import type { Part } from "./joined.js"

/** For answers that people wait for, in milliseconds. */
const patience = 1000

/** Fails with a sentence if the replica is not reached. */
type Ask = <A, I>(replica: ReplicaName, path: string, answer: Schema.Schema<A, I>) => Effect.Effect<A, string>

export interface OtherGateways {
  /** Asks all at once, and waits for a second at most. */
  readonly look: Effect.Effect<void>
  /** What each said when it was asked last. */
  readonly last: () => ReadonlyArray<Part>
  readonly read: Ask
  /** Waits for as long as the command takes. */
  readonly command: Ask
}

/** Of `fetch`, the reason is inside. */
const innermost = (error: unknown): unknown =>
  Predicate.hasProperty(error, "cause") && error.cause !== undefined ? innermost(error.cause) : error

const failureOf = (error: unknown): string => {
  const { code, message } = innermost(error) as NodeJS.ErrnoException
  return clean(message || code || String(error))
}

const unexpected = (status: number): string =>
  status === 200
    ? "it answers like another version of mcp-lifeline"
    : `it answers with HTTP ${status}${status === 403 ? "; does it have another key?" : ""}`

export const make = (gateways: Gateways): OtherGateways => {
  let seen: ReadonlyMap<string, Part> = new Map()

  const ask = (method: "GET" | "POST"): Ask => (replica, path, answer) =>
    Effect.tryPromise({
      try: async (signal) => {
        const { baseUrl, fetch } = gateways.api(replica)
        const headers = { [Guard.actionHeader]: "1" }
        const response = await fetch(baseUrl + path, { method, headers, redirect: "error", signal })
        return { status: response.status, text: await response.text() }
      },
      catch: failureOf
    }).pipe(
      Effect.flatMap(({ status, text }) =>
        Effect.mapError(Schema.decode(Schema.parseJson(answer))(text), () => unexpected(status))
      )
    )

  const read: Ask = (replica, path, answer) =>
    Effect.timeoutFail(ask("GET")(replica, path, answer), {
      duration: patience,
      onTimeout: () => `no answer within ${patience / 1000} s`
    })

  const partOf = (replica: ReplicaName): Effect.Effect<Part> =>
    Effect.zipWith(Effect.either(read(replica, "/api/status", GatewayStatus)), Clock.currentTimeMillis, (said, now) => {
      const before = seen.get(replica.id)
      const isSame = before !== undefined && Either.isRight(before.said) === Either.isRight(said)
      return { replica, since: isSame ? before.since : now, said }
    })

  return {
    read,
    command: ask("POST"),
    look: Effect.suspend(() => Effect.forEach(gateways.others(), partOf, { concurrency: "unbounded" })).pipe(
      Effect.map((parts) => {
        seen = new Map(parts.map((part) => [part.replica.id, part]))
      })
    ),
    last: () => gateways.others().flatMap(({ id }) => seen.get(id) ?? [])
  }
}
