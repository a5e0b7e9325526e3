import * as Listener from "@mcp-lifeline/http-server/Listener"
import { ListenError } from "@mcp-lifeline/http-server/ListenError"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import { folder } from "../../../testing/test/support/folder.js"
import * as Proof from "../../src/instances/Proof.js"
import * as RunningGateways from "../../src/instances/RunningGateways.js"
import { describe, expect, test } from "../support/vitest.js"

const host = "127.0.0.1"
const secret = SealedId.randomSecret()

const listening = Effect.fnUntraced(function*(isGateway: boolean) {
  const listener = yield* Listener.listen({ host, port: 0 })
  yield* listener.serve(({ url = "" }, response) =>
    void response.end(isGateway ? Proof.answer(secret, url) : "something else")
  )
  return listener.port
})

const refusal = (port: number) =>
  Effect.flip(Listener.listen({ host, port }).pipe(RunningGateways.explainPortInUse({ host, port })))

describe("a port that is in use", () => {
  test.scopedLive("[G1] who wants that of a gateway is told which it is; another program at the port is not taken for one", function*() {
    const [own, foreign] = [yield* listening(true), yield* listening(false)]
    const register = (url: string, config: string | null) =>
      RunningGateways.register({ url, config, startedAt: 0, token: null, secret })
    yield* Effect.gen(function*() {
      for (const port of [own, foreign]) {
        const { message } = yield* refusal(port)
        expect(message).toContain(`port ${port} on ${host} is in use`)
        expect(message).not.toContain("gateway")
      }
      yield* register(`http://${host}:${foreign}`, null)
      expect((yield* refusal(foreign)).message).not.toContain("gateway")
      yield* Effect.scoped(Effect.gen(function*() {
        yield* register(`http://0.0.0.0:${own}`, null)
        const { cause, message } = yield* refusal(own)
        expect(message).toBe(
          `port ${own} on ${host} is in use by your own gateway (pid ${process.pid}, without a file); see it with mcp-lifeline `
            + `status --url http://${host}:${own}, stop it, or give another port with --port (0 for any)`
        )
        expect(cause).toMatchObject({ code: "EADDRINUSE" })
      }))
      yield* register(`http://${host}:${own}`, "/home/ann/mcp.json")
      expect((yield* refusal(own)).message).toContain(`(pid ${process.pid}, /home/ann/mcp.json)`)
      // What failed for another reason stays as it is.
      for (const cause of [{ code: "EACCES" }, undefined]) {
        const explain = RunningGateways.explainPortInUse({ host, port: own })
        const error = yield* Effect.flip(explain(new ListenError({ message: "why", cause })))
        expect(error).toMatchObject({ _tag: "StartError", message: "why" })
        expect(error.cause).toBe(cause)
      }
    }).pipe(Effect.provideService(StateFolder.StateFolder, StateFolder.make(yield* folder)))
  })
})
