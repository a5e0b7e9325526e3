import { Chunk, Effect, Fiber, TestClock } from "effect"

export const inTime = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(work)
    while (fiber.unsafePoll() === null) {
      if (!Chunk.isEmpty(yield* TestClock.sleeps())) yield* TestClock.adjust("1 second")
      yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
    }
    return yield* Fiber.join(fiber)
  })
