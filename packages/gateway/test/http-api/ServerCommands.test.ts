import { type Backend, BackendUnavailable, type CommandError } from "@mcp-lifeline/core"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { onEach } from "../../src/http-api/ServerCommands.js"
import { describe, expect, test } from "../support/vitest.js"

const scripted = (count: number) => {
  const begun: Array<number> = []
  const all = Array.from({ length: count }, (_, number) => {
    const end = Deferred.unsafeMake<void, CommandError>(Fiber.id(Fiber.void))
    let state = "Connected"
    const backend = {
      id: "own",
      reconnect: Effect.zipRight(Effect.sync(() => begun.push(number)), Deferred.await(end)),
      status: Effect.sync(() => ({ state }))
    } as Partial<Backend.Backend> as Backend.Backend
    const failed = new BackendUnavailable({ backend: "own", state: "Dormant", message: `${number} is down` })
    return {
      backend,
      done: Deferred.succeed(end, undefined),
      fails: Deferred.fail(end, failed),
      leaves: Effect.suspend(() => {
        state = "Closed"
        return Deferred.fail(end, failed)
      })
    }
  })
  const run = onEach(all.map(({ backend }) => backend), ({ reconnect }) => reconnect)
  return { all, begun, run }
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number)

describe("what is done to the runtimes of all clients", () => {
  test.effect("[G16] eight begin at once, and one that ends lets the next begin", function*() {
    const { all, begun, run } = scripted(20)
    const running = yield* Effect.fork(run)
    yield* TestClock.adjust(0)
    expect(begun).toEqual(numbers(8))
    yield* all[3]!.done
    yield* all[5]!.done
    yield* TestClock.adjust(0)
    expect(begun).toEqual(numbers(10))
    for (const { done } of all) {
      yield* done
      yield* TestClock.adjust(0)
    }
    expect(yield* Fiber.join(running)).toEqual({ done: 20, failures: [] })
  })

  test.effect("[G16] one that takes longer than two seconds goes on beside the next ones, and is waited for", function*() {
    const { all, begun, run } = scripted(20)
    const running = yield* Effect.fork(run)
    yield* TestClock.adjust(1999)
    expect(begun).toEqual(numbers(8))
    yield* TestClock.adjust(1)
    expect(begun).toEqual(numbers(16))
    yield* TestClock.adjust(2000)
    expect(begun).toEqual(numbers(20))
    yield* TestClock.adjust("1 minute")
    expect(running.unsafePoll()).toBeNull()
    yield* Effect.forEach(all, ({ done }) => done)
    expect(yield* Fiber.join(running)).toEqual({ done: 20, failures: [] })
  })

  test.effect("[G16] it says what failed and how much was done, without those whose clients left meanwhile", function*() {
    const { all, run } = scripted(4)
    const running = yield* Effect.fork(run)
    yield* TestClock.adjust(0)
    yield* all[0]!.done
    yield* all[1]!.fails
    yield* all[2]!.leaves
    yield* all[3]!.done
    const { done, failures } = yield* Fiber.join(running)
    expect(done).toBe(2)
    expect(failures).toMatchObject([{ _tag: "BackendUnavailable" }])
  })
})
