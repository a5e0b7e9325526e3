import { type HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, type Scope } from "effect"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { gateway } from "../support/Talk.js"
import { assert, describe, test } from "../support/vitest.js"

type Door = { readonly url: string; readonly prefix: string }

const served = (server: string, sessions: "shared" | "per-client"): Effect.Effect<Door, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const connector = HttpConnector.make({ url: server })
    const { clients } = yield* gateway([{
      id: "s",
      connector,
      sessions,
      keepalive: { method: "none" },
      timeouts: { connect: "2 minutes", wait: "2 minutes" }
    }])
    const { url } = yield* Raw.serve(undefined, { begin: clients.begin })
    return { url, prefix: "s__" }
  })

const doors: Readonly<Record<string, (server: string) => Effect.Effect<Door, unknown, Scope.Scope>>> = {
  "serve": (server) => served(server, "shared"),
  "serve, a server of its own": (server) => served(server, "per-client")
}

/** Sockets for calls to one server. */
const maxSockets = 64

const answersIn = (text: string): ReadonlyArray<Raw.Message> =>
  (text.startsWith("[")
    ? JSON.parse(text) as ReadonlyArray<Raw.Message>
    : Raw.events(text).map(({ message }) => message))
    .filter(({ id, method }) => id !== undefined && method === undefined)

const fateOf = ({ error }: Raw.Message): unknown => (error?.data as { readonly fate?: unknown } | undefined)?.fate

describe.concurrent("calls of a session that its client ends", () => {
  for (const era of ["2025", "2026"] as const) {
    for (const [name, open] of Object.entries(doors)) {
      test.scopedLive(`[G18 C19:real] ${name}, a server of ${era}: each is answered with its fate; what waited was not sent`, function*() {
        const server = yield* HttpFaultServer.make({ era })
        const arrived: Array<string> = []
        server.hook = ({ message }: HttpExchange.Turn) => {
          if (message?.method !== "tools/call") return false
          arrived.push(String(message.params?.["arguments"]?.message))
          return true
        }
        const { prefix, url } = yield* open(server.url)
        const call = (id: number) => ({
          jsonrpc: "2.0",
          id,
          method: "tools/call",
          params: { name: `${prefix}echo`, arguments: { message: `${id}` } }
        })
        const end = async (
          calls: ReadonlyArray<object>,
          until: (sent: Promise<Raw.Answered>) => Promise<unknown>
        ): Promise<ReadonlyArray<Raw.Message>> => {
          const session = await Raw.begin(url, "2025-03-26")
          // One batch, so that the gateway has all of them at once.
          const sent = Raw.send(url, "POST", session, JSON.stringify(calls))
          await until(sent)
          assert.strictEqual((await Raw.send(url, "DELETE", session)).status, 200)
          return answersIn(await (await sent).body).filter(({ id }) => id !== "ping")
        }
        yield* Effect.promise(async () => {
          const ids = Array.from({ length: 80 }, (_, id) => id)
          const answers = await end(ids.map(call), () => server.until(() => arrived.length === maxSockets))
          const withFate = (fate: string) => answers.filter((one) => fateOf(one) === fate)
          assert.sameMembers(withFate("unknown").map(({ id }) => `${id}`), arrived)
          assert.strictEqual(withFate("notSent").length, ids.length - maxSockets)
          assert.include(withFate("unknown")[0]?.error?.message, "ended by its client before the request was answered")
          assert.include(withFate("notSent")[0]?.error?.message, "ended by its client before the request was sent")
          assert.strictEqual(arrived.length, maxSockets)
          await server.stop()
          // The gateway answers the ping itself, once it has the call.
          const ping = { jsonrpc: "2.0", id: "ping", method: "ping" }
          const waiting = await end([call(100), call(101), ping], async (sent) => (await sent).until('"ping"'))
          assert.deepStrictEqual(waiting.map(fateOf), ["notSent", "notSent"])
        })
      })
    }
  }
})
