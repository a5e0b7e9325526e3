import { Chunk, Effect, Fiber, TestClock } from "effect"
import { createServer } from "node:http"
import { listening } from "../../testing/test/support/listening.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Login from "../src/Login.js"
import { waiting } from "./support/grants.js"
import { turn } from "./support/SignIns.js"

/** A login whose process has ended; something else listens at its port. */
const taken = Effect.gen(function*() {
  const server = createServer()
  const login = waiting(0, { redirect: `${yield* listening(server)}/callback` })
  return { server, login, resuming: yield* Effect.fork(Login.resume(login)) }
})

/** Waits until somebody sleeps on the virtual clock, for which sockets take real time. */
const asleep = Effect.gen(function*() {
  while (Chunk.isEmpty(yield* TestClock.sleeps())) yield* turn
})

const tries = (count: number) => Effect.repeatN(Effect.zipRight(asleep, TestClock.adjust("100 millis")), count - 1)

describe("a login that goes on in another process", () => {
  test.scoped("[A4] waits for the port of the process that has ended, which some systems give back a moment later", function*() {
    const { login, resuming, server } = yield* taken
    yield* tries(9)
    yield* asleep
    yield* Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
    yield* TestClock.adjust("100 millis")
    expect((yield* Fiber.join(resuming))?.listener.redirect).toBe(login.redirect)
  })

  test.scoped("[A4] is none where another program keeps the port", function*() {
    const { resuming } = yield* taken
    yield* tries(10)
    expect(yield* Fiber.join(resuming)).toBeUndefined()
  })
})
