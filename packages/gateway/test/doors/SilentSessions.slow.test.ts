import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { setTimeout } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"

/** A server whose sessions can fall silent, and whose tool answers with the session; `waits` does so half a second later. */
const server = Effect.gen(function*() {
  const server = yield* HttpFaultServer.make()
  const [silent, seen] = [new Set<string>(), new Set<string>()]
  server.hook = ({ message, response, session, tool }) => {
    if (session !== undefined && silent.has(session)) return true
    if (tool === undefined || session === undefined) return undefined
    seen.add(session)
    const answer = () =>
      HttpExchange.fault(
        response,
        200,
        { "content-type": "application/json" },
        JSON.stringify(HttpExchange.result(message, { content: [{ type: "text", text: session }] }))
      )
    void setTimeout(message?.params?.["arguments"]?.["message"] === "waits" ? 500 : 0).then(answer)
    return true
  }
  return { url: server.url, silence: () => seen.forEach((session) => silent.add(session)) }
})

type Server = Effect.Effect.Success<typeof server>

const using = (use: (server: Server) => Promise<void>) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(server, (server) => Effect.promise(() => use(server)))))

const quick = { arguments: { message: "" } }
const waits = { arguments: { message: "waits" } }

describe.concurrent.each(Object.entries(doors))(
  "a session that answers nothing more, %s",
  { timeout: 50_000 },
  (_, open) => {
    it("[V3:real] is replaced by default options where a new one is answered, before the first call has timed out", () =>
      using(({ silence, url }) =>
        open({ url }, {}, async (call) => {
          const slow = call("echo", waits)
          const session = await call("echo", quick)
          await slow
          silence()
          const lost = call("echo", quick)
          // Whoever comes later does not wait for the first one.
          let answer = ""
          while (answer === "" || answer.includes(" ")) {
            answer = await Promise.race([call("echo", quick), setTimeout(1000, "")])
          }
          expect(answer).not.toBe(session)
          expect(await lost).toMatch(/ /)
        })
      ))
  }
)
