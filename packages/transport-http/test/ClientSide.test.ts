import { describe, it, layer } from "@effect/vitest"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Context, Effect, Layer } from "effect"
import * as ClientSide from "../../testing/test/support/ClientSide.js"
import * as Everything from "./fixtures/Everything.js"

/** One for all: each test has sessions of its own. */
class Server extends Context.Tag("test/Server")<Server, Everything.Everything>() {
  static readonly live = Layer.scoped(Server, Everything.make("streamableHttp"))
}

const connectorTo = ({ url }: Everything.Everything) => HttpConnector.make({ url })
const connector = Effect.map(Server, connectorTo)

describe.concurrent("the client side of the protocol, with the reference server", () => {
  layer(Server.live, { excludeTestServices: true })((it) => {
    it.scoped("[C1:real] tools, prompts, resources, templates, completion, ping, progress", () =>
      Effect.flatMap(connector, ClientSide.requests))

    it.scoped("[C1:real] subscriptions and the logging level", () => Effect.flatMap(connector, ClientSide.standing))

    it.scoped("[C1:real] a tool that needs a task: its question, its result, its cancellation", () =>
      Effect.flatMap(connector, ClientSide.task))

    it.scoped("[C1:real] the server asks: sampling, elicitation, roots", () =>
      Effect.flatMap(connector, ClientSide.serverRequests))

    it.scoped("[C8:real] capabilities are declared from the handlers that are given", () =>
      Effect.flatMap(connector, ClientSide.capabilities))
  })

  it.scopedLive("[C8:real] after a lost session the handler of the current generation is asked, once", () =>
    Effect.flatMap(
      Everything.make("streamableHttp"),
      (server) => ClientSide.generations(connectorTo(server), () => server.restart)
    ))
})
