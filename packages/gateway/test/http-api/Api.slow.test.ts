import { Effect } from "effect"
import { connect } from "node:net"
import { everything } from "../../../testing/test/support/Built.js"
import { ask, isConnected, serve, serveHere, untilStatus } from "../support/Gateway.js"
import { describe, expect, test } from "../support/vitest.js"

const node = process.execPath

describe("the API of a running gateway", () => {
  test.scopedLive("[G17] a reader that does not read holds up nobody, and too many are refused", function*() {
    const { base } = yield* serve({ every: { command: node, args: [everything, "stdio"] } })
    yield* untilStatus(base, isConnected, "every")
    const { hostname, port } = new URL(base)
    const read = (localAddress?: string) =>
      Effect.acquireRelease(
        Effect.async<{ readonly socket: ReturnType<typeof connect>; readonly status: string }>((resume) => {
          const socket = connect({ port: Number(port), host: hostname, localAddress })
          socket.once("data", (data) => {
            socket.pause()
            resume(Effect.succeed({ socket, status: data.toString().split("\r\n")[0] ?? "" }))
          })
          socket.write(`GET /api/events HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
        }),
        ({ socket }) => Effect.sync(() => socket.destroy())
      )
    const readers = yield* Effect.forEach(Array.from({ length: 100 }), () => read(), { concurrency: 10 })
    expect(yield* ask(`${base}/api/events`)).toMatchObject({ status: 503, body: { error: { code: "too_many" } } })
    // Only Linux has further addresses of loopback.
    if (process.platform === "linux") expect((yield* read("127.0.0.2")).status).toContain("200")
    for (const { socket } of readers.slice(0, 5)) socket.destroy()
    yield* Effect.repeat(read(), { until: ({ status }) => status.includes("200") })
    expect(yield* ask(`${base}/api/servers/every/reconnect`, "POST")).toMatchObject({ status: 200 })
  })

  test.scopedLive("[G1] [G7] a call that is not answered yet when the gateway is stopped has 5 seconds, and then an error that says so", function*() {
    const { base, program } = yield* serveHere({ every: { command: node, args: [everything, "stdio"] } })
    yield* untilStatus(base, isConnected, "every")
    const call = (duration: number) =>
      Effect.fork(ask(`${base}/api/call`, "POST", {
        name: "every__trigger-long-running-operation",
        arguments: { duration, steps: 1 }
      }))
    const [short, long] = [yield* call(2), yield* call(60)]
    // On a busy machine, the short one may have its answer before this is seen.
    yield* untilStatus(base, ({ calls }) => calls.total === 2, "every")
    program.signal("SIGTERM")
    expect(yield* short).toMatchObject({ status: 200, body: { content: [{ type: "text" }] } })
    expect(yield* long).toEqual({
      status: 502,
      body: {
        error: {
          code: "result_unknown",
          message: "the gateway was stopped before the answer came; the call may have been carried out"
        }
      }
    })
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
  })
})
