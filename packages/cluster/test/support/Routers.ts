import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { Deferred, Effect, Exit, FiberId, Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import type { Replica } from "../../src/ClusterStore.js"
import type { SessionHomes } from "../../src/sessions/SessionHomes.js"
import * as SessionRouter from "../../src/sessions/SessionRouter.js"
import * as PeerServer from "./PeerServer.js"

const seal = SealedId.make(SealedId.randomSecret())
const records = SessionRecords.inMemory()

/** Where sessions live: all on the same replica. */
export class Places {
  #home: Replica | undefined
  readonly #gone = new Map<string, Deferred.Deferred<void>>()
  #moved = Deferred.unsafeMake<void>(FiberId.none)

  readonly lapsed = new Set<string>()
  readonly replicas = new Map<string, Replica>()

  asked = 0

  get home(): string | undefined {
    return this.#home?.id
  }

  move(home: Replica | undefined): void {
    this.#home = home
    Deferred.unsafeDone(this.#moved, Exit.void)
    this.#moved = Deferred.unsafeMake(FiberId.none)
  }

  #goneOf(id: string): Deferred.Deferred<void> {
    const one = this.#gone.get(id) ?? Deferred.unsafeMake<void>(FiberId.none)
    this.#gone.set(id, one)
    return one
  }

  lose(id: string, next?: Replica): void {
    this.move(next)
    Deferred.unsafeDone(this.#goneOf(id), Exit.void)
  }

  seenBy(id: string): SessionHomes {
    return {
      own: () => this.lapsed.has(id) ? undefined : id,
      isHere: () => this.home === id,
      find: () =>
        Effect.suspend(() => {
          this.asked++
          return this.#home === undefined
            ? Effect.flatMap(Deferred.await(this.#moved), () => this.seenBy(id).find("", undefined))
            : Effect.succeed(this.#home)
        }),
      here: Effect.map(
        Effect.repeat(Effect.sleep(1), { until: () => !this.lapsed.has(id) && this.replicas.has(id) }),
        () => this.replicas.get(id)!
      ),
      gone: (home) => Deferred.await(this.#goneOf(home)),
      ended: () => Effect.void
    }
  }
}

export interface Routing {
  readonly id: string
  readonly replica: Replica
  readonly router: SessionRouter.SessionRouter
  readonly url: string
  readonly endpoint: Effect.Effect.Success<ReturnType<typeof Raw.serve>>
  readonly errors: ReadonlyArray<unknown>
  readonly passed: ReadonlyArray<IncomingMessage>
  readonly close: () => Promise<void>
}

export const start = (
  id: string,
  places: Places,
  answer?: Raw.Answer,
  options: Partial<SessionRouter.Options> = {},
  endpointOptions: Parameters<typeof Raw.serve>[1] = {}
): Promise<Routing> => {
  const scope = Effect.runSync(Scope.make())
  return Effect.runPromise(Scope.extend(
    Effect.gen(function*() {
      const homes = places.seenBy(id)
      const errors: Array<unknown> = []
      const passed: Array<IncomingMessage> = []
      const endpoint = yield* Raw.serve(answer, { seal, records, home: homes, ...endpointOptions })
      const router = yield* SessionRouter.make({
        key: PeerServer.key,
        homes,
        seal,
        endpoint: endpoint.requests,
        onError: (error) => errors.push(error),
        ...options
      })
      const address = yield* Effect.promise(() =>
        PeerServer.listen((request, response) => {
          passed.push(request)
          if (!router.handlePassed(request, response, request.url ?? "")) response.writeHead(404).end()
        })
      )
      // The bearer token says who sends it.
      const url = yield* Effect.promise(() =>
        PeerServer.listen((request, response) => {
          const subject = Authentication.bearer(request.headers.authorization)
          Caller.note(request, { subject, claims: { of: subject } })
          router.handle(request, response)
        })
      )
      const replica = PeerServer.replica(address, id)
      places.replicas.set(id, replica)
      return {
        id,
        replica,
        router,
        url,
        endpoint,
        errors,
        passed,
        close: () => Effect.runPromise(Scope.close(scope, Exit.void))
      }
    }),
    scope
  ))
}

export const session = (
  home: string,
  version = "2025-11-25",
  subject = ""
): Readonly<Record<string, string>> => ({
  "Mcp-Session-Id": seal.seal({
    initialize: Raw.initialize(version).params,
    version,
    lists: [],
    owner: Caller.ownerOf({ subject, claims: {} }),
    born: Math.floor(Date.now() / 1000),
    home
  })
})

export const scripted = (
  answer: (response: ServerResponse, body: string, request: IncomingMessage) => void
): Promise<string> =>
  PeerServer.listen((request, response) => {
    let body = ""
    response.on("error", () => undefined)
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text
    })
    request.on("end", () => answer(response, body, request))
  })
