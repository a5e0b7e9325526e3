import { describe, it } from "@effect/vitest"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as ClientSide from "../../testing/test/support/ClientSide.js"
import * as Everything from "./fixtures/Everything.js"

const connectorTo = ({ url }: Everything.Everything) => HttpConnector.make({ url })

describe.concurrent("the client side of the protocol, with the reference server", () => {
  // One for all: each test has sessions of its own. Not `layer` of @effect/vitest, which replaces `it.effect` and the others
  // for every file that the process runs after this one.
  const scope = Effect.runSync(Scope.make())
  let server: Everything.Everything
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.extend(Everything.make("streamableHttp"), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it.scopedLive("[C1:real] tools, prompts, resources, templates, completion, ping, progress", () =>
    ClientSide.requests(connectorTo(server)))

  it.scopedLive("[C1:real] subscriptions and the logging level", () => ClientSide.standing(connectorTo(server)))

  it.scopedLive("[C1:real] a tool that needs a task: its question, its result, its cancellation", () =>
    ClientSide.task(connectorTo(server)))

  it.scopedLive("[C1:real] the server asks: sampling, elicitation, roots", () =>
    ClientSide.serverRequests(connectorTo(server)))

  it.scopedLive("[C8:real] capabilities are declared from the handlers that are given", () =>
    ClientSide.capabilities(connectorTo(server)))

  it.scopedLive("[C8:real] after a lost session the handler of the current generation is asked, once", () =>
    Effect.flatMap(
      Everything.make("streamableHttp"),
      (own) => ClientSide.generations(connectorTo(own), () => own.restart)
    ))
})
