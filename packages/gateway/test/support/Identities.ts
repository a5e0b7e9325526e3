import { Effect, Redacted, type Scope } from "effect"
import { Endpoint } from "mcp-lifeline"
import * as AccessInUse from "../../src/access/AccessInUse.js"
import * as GatewayAuthentication from "../../src/access/GatewayAuthentication.js"
import * as Issuer from "./Issuer.js"
import { HttpTalk, loaded } from "./Team.js"

type Options = ConstructorParameters<typeof HttpTalk>[2]

/** A door that is bound, and clients that may come in: the first, and another person where that can be told. */
type Identify = Effect.Effect<
  & Endpoint.Bound
  & { readonly people: (url: string, options?: Options) => Effect.Effect<readonly [HttpTalk, HttpTalk?]> },
  never,
  Scope.Scope
>

const stateless: Options = { isStateless: true }

const named: Identify = Effect.gen(function*() {
  const clients = yield* AccessInUse.make(yield* loaded({ ann: {}, ben: {} }), () => Effect.void)
  const tokens = () => [Redacted.make("operator")]
  const authentication = GatewayAuthentication.byToken({ tokens, isNeeded: true, clients })
  const bound = yield* Effect.orDie(Endpoint.bind({ host: "127.0.0.1", port: 0, authentication }))
  const people = (url: string, options: Options = stateless) =>
    Effect.sync(() => [new HttpTalk(url, "ann-token", options), new HttpTalk(url, "ben-token", options)] as const)
  return { ...bound, people }
})

const audience = "https://gateway.example.com/mcp"

const signedIn: Identify = Effect.gen(function*() {
  const issuer = yield* Issuer.make
  const auth = Issuer.authOf({ issuers: [issuer.url], audiences: [audience], clockTolerance: 0 })
  const { authentication } = yield* Effect.orDie(GatewayAuthentication.make({
    tokens: () => [],
    isNeeded: false,
    clients: undefined,
    auth: () => auth,
    place: { host: "127.0.0.1" }
  }))
  const bound = yield* Effect.orDie(Endpoint.bind({ host: "127.0.0.1", port: 0, authentication }))
  const people = (url: string, options: Options = stateless) =>
    Effect.promise(async () => {
      const [ann, ben] = await Promise.all(["ann", "ben"].map((sub) => issuer.sign(audience, { sub })))
      return [new HttpTalk(url, ann ?? "", options), new HttpTalk(url, ben ?? "", options)] as const
    })
  return { ...bound, people }
})

const anonymous: Identify = Effect.gen(function*() {
  const bound = yield* Effect.orDie(Endpoint.bind({ host: "127.0.0.1", port: 0 }))
  const people = (url: string, options: Options = stateless) =>
    Effect.sync(() => [new HttpTalk(url, "", options)] as const)
  return { ...bound, people }
})

export const all: Readonly<
  Record<"clients with tokens" | "people with access tokens" | "anonymous clients", Identify>
> = { "clients with tokens": named, "people with access tokens": signedIn, "anonymous clients": anonymous }
