import { buildDiscoveryUrls } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Either, Option } from "effect"
import { ask } from "./ask.js"
import type { Later } from "./Failures.js"

/** The first that answers with JSON. Fails with Later where none does and one of them may later. */
export const first = (fetch: FetchLike, urls: ReadonlyArray<URL>) =>
  Effect.gen(function*() {
    let later: Later | undefined
    for (const url of urls) {
      const answer = yield* Effect.either(ask(fetch, url, { headers: { accept: "application/json" } }))
      if (Either.isLeft(answer)) later ??= yield* Effect.catchTag(Effect.fail(answer.left), "Later", Effect.succeed)
      else if (answer.right.ok && answer.right.json !== undefined) return Option.some({ url, json: answer.right.json })
    }
    return later === undefined ? Option.none() : yield* later
  })

/** RFC 8414, or OpenID Connect Discovery. */
export const issuer = (fetch: FetchLike, issuer: URL) => first(fetch, buildDiscoveryUrls(issuer).map(({ url }) => url))
