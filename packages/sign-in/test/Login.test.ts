import { Chunk, Effect, Fiber, Redacted, TestClock } from "effect"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Login from "../src/Login.js"
import type * as PendingLogin from "../src/PendingLogin.js"

const taken = Effect.acquireRelease(
  Effect.async<Server>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
)

const free = (server: Server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))

const loginAt = (server: Server): PendingLogin.PendingLogin => ({
  server: "https://mcp.example/mcp",
  account: "default",
  issuer: "https://login.example",
  metadata: { issuer: "https://login.example", token_endpoint: "https://login.example/token" },
  resource: undefined,
  client: { id: "client", origin: "registered", redirects: [] },
  scope: undefined,
  opened: true,
  address: "https://login.example/authorize",
  until: 0,
  redirect: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
  state: Redacted.make("state"),
  verifier: Redacted.make("verifier")
})

/** Waits until somebody sleeps on the virtual clock, for which sockets take real time. */
const asleep = Effect.gen(function*() {
  while (Chunk.isEmpty(yield* TestClock.sleeps())) {
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
})

describe("a login that goes on in another process", () => {
  test.scoped("[A4] waits for the port of the process that has ended, which some systems give back a moment later", function*() {
    const server = yield* taken
    const login = loginAt(server)
    const resuming = yield* Effect.fork(Login.resume(login))
    for (let times = 0; times < 9; times++) {
      yield* asleep
      yield* TestClock.adjust("100 millis")
    }
    yield* asleep
    yield* free(server)
    yield* TestClock.adjust("100 millis")
    expect((yield* Fiber.join(resuming))?.listener.redirect).toBe(login.redirect)
  })

  test.scoped("[A4] is none where another program keeps the port", function*() {
    const resuming = yield* Effect.fork(Login.resume(loginAt(yield* taken)))
    for (let times = 0; times < 10; times++) {
      yield* asleep
      yield* TestClock.adjust("100 millis")
    }
    expect(yield* Fiber.join(resuming)).toBeUndefined()
  })
})
