import { Deferred, Effect, Runtime, Stream } from "effect"
import { getEventListeners } from "node:events"
import { assert, describe, it } from "vitest"
import { Publisher } from "../src/internal/Publisher.js"

const runtime = Runtime.defaultRuntime

const counted = () => {
  const more = Effect.runSync(Deferred.make<void>())
  const count = { open: 0, opened: 0 }
  const subscribed = Effect.acquireRelease(
    Effect.sync(() => {
      count.open++
      count.opened++
    }),
    () => Effect.sync(() => count.open--)
  )
  const stream = Stream.unwrapScoped(
    Effect.as(subscribed, Stream.concat(Stream.make(1), Stream.drain(Stream.fromEffect(Deferred.await(more)))))
  )
  const publisher = new Publisher(runtime, stream)
  return { count, publisher, more: () => Effect.runSync(Deferred.succeed(more, undefined)) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("Publisher", () => {
  it("[F5] a loop that is left by break, by throw or at the end of the stream leaves its signal without a listener", async () => {
    const { publisher, more } = counted()
    const { signal } = new AbortController()
    const listeners = () => getEventListeners(signal, "abort").length
    for await (const _ of publisher.iterate(signal)) {
      assert.strictEqual(listeners(), 1)
      break
    }
    assert.strictEqual(listeners(), 0)
    try {
      for await (const _ of publisher.iterate(signal)) throw new Error("enough")
    } catch {}
    assert.strictEqual(listeners(), 0)
    more()
    for await (const _ of publisher.iterate(signal)) continue
    assert.strictEqual(listeners(), 0)
  })

  it("[F5] leaving the loop by break, by throw or by an abort runs the stream's finalizers", async () => {
    const { count, publisher } = counted()
    for await (const value of publisher.iterate(undefined)) {
      assert.deepEqual([value, count.open], [1, 1])
      break
    }
    await turn()
    assert.deepEqual(count, { open: 0, opened: 1 })
    try {
      for await (const _ of publisher.iterate(undefined)) throw new Error("enough")
    } catch {}
    await turn()
    assert.deepEqual(count, { open: 0, opened: 2 })
    const controller = new AbortController()
    const read = (async () => {
      for await (const _ of publisher.iterate(controller.signal)) continue
    })().catch(() => "aborted")
    await turn()
    assert.strictEqual(count.open, 1)
    controller.abort()
    assert.strictEqual(await read, "aborted")
    await turn()
    assert.deepEqual(count, { open: 0, opened: 3 })
  })

  it("[F5] a listener that is taken off lets its stream go; one that is not keeps it", async () => {
    const { count, publisher } = counted()
    const stop = publisher.listen(() => undefined)
    publisher.listen(() => undefined)
    await turn()
    assert.strictEqual(count.open, 2)
    stop()
    await turn()
    assert.deepEqual(count, { open: 1, opened: 2 })
    publisher.end()
    await turn()
    assert.strictEqual(count.open, 0)
  })

  it("[L20] what is read ends with the stream, and drained says when", async () => {
    const { count, publisher, more } = counted()
    const read = (async () => {
      const values: Array<number> = []
      for await (const value of publisher.iterate(undefined)) values.push(value)
      return values
    })()
    await turn()
    let drained = false
    const waiting = publisher.drained().then(() => {
      drained = true
    })
    await turn()
    assert.isFalse(drained)
    more()
    assert.deepEqual(await read, [1])
    await waiting
    assert.deepEqual(count, { open: 0, opened: 1 })
  })
})
