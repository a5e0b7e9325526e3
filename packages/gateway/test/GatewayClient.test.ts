import { describe, expect, it } from "@effect/vitest"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { createServer } from "node:http"
import { folder } from "../../testing/test/support/folder.js"
import * as GatewayClient from "../src/commands/GatewayClient.js"
import * as Proof from "../src/running/Proof.js"
import * as RunningGateways from "../src/running/RunningGateways.js"

const secret = Proof.newSecret()

/** A gateway that runs, and answers nothing but its proof. */
const registered = (startedAt: number, config: string, inCluster?: boolean) =>
  Effect.gen(function*() {
    const { port } = yield* ReservedPort.make
    yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(({ url = "" }, response) => void response.end(Proof.answer(secret, url)))
        server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => void server.close().closeAllConnections())
    )
    const url = `http://127.0.0.1:${port}`
    yield* RunningGateways.register({ url, config, inCluster, startedAt, token: null, secret })
    return url
  })

/** What a command is told when it asks for the status. */
const told = (config?: string) =>
  Effect.flip(Effect.flatMap(GatewayClient.find({ config, url: undefined }), ({ status }) => status)).pipe(
    Effect.map(({ message }) => message)
  )

describe("which gateway a command asks", () => {
  it.scopedLive("[G1 D8] of the replicas of one file it asks the one that runs for longest, of other gateways one is to be chosen", () =>
    Effect.gen(function*() {
      const url = yield* registered(1, "/team.json", true)
      yield* registered(2, "/team.json", true)
      expect(yield* told()).toContain(`${url} does not answer like`)
      expect(yield* told("/team.json")).toContain(`${url} does not answer like`)

      yield* registered(3, "/mine.json")
      expect(yield* told()).toContain("choose one with --url or --config")
      yield* registered(4, "/mine.json")
      expect(yield* told("/team.json")).toContain(`${url} does not answer like`)
      expect(yield* told("/mine.json")).toMatch(/choose one with --url$/)
    }).pipe(Effect.provideServiceEffect(StateFolder.StateFolder, Effect.map(folder, (path) => StateFolder.make(path)))))
})
