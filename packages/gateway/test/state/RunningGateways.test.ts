import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as RunningGateways from "../../src/state/RunningGateways.js"
import * as StateFolder from "../../src/state/StateFolder.js"
import { folder } from "../support/Gateway.js"

describe("the running gateways", () => {
  it.scopedLive("[G1] one that has no time for a few seconds is found all the same", () =>
    Effect.gen(function*() {
      const busy = yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((_, response) => void setTimeout(() => response.end("{}"), 3000))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => void server.close().closeAllConnections())
      )
      const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`
      const state = StateFolder.make(yield* folder)
      const found = yield* Effect.zipRight(
        RunningGateways.register({ url, pid: process.pid, config: null, startedAt: 0, token: null }),
        RunningGateways.running
      ).pipe(Effect.provideService(StateFolder.StateFolder, state))
      expect(found).toMatchObject([{ url, pid: process.pid }])
    }))
})
