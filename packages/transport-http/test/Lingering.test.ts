import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { Lingering } from "../src/Lingering.js"

describe("streams that have brought their answer", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const make = (sockets: number) => {
    const lingering = new Lingering(sockets)
    const closed: Array<string> = []
    return { closed, lingering, linger: (name: string) => lingering.linger(() => closed.push(name)) }
  }

  it("[T14:unit] are closed after a second, and those that end before are forgotten", () => {
    const { closed, linger, lingering } = make(2)
    lingering.begins()
    lingering.begins()
    linger("a")
    linger("b")()
    vi.advanceTimersByTime(999)
    assert.deepStrictEqual(closed, [])
    vi.advanceTimersByTime(1)
    assert.deepStrictEqual(closed, ["a"])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("[T14:unit] give way to calls without a socket, the oldest first, one for each; while calls wait, none lingers", () => {
    const { closed, linger, lingering } = make(3)
    const [first, second, third] = [lingering.begins(), lingering.begins(), lingering.begins()]
    linger("a")
    linger("b")
    const waits = lingering.begins()
    assert.deepStrictEqual(closed, ["a"])
    linger("c")
    assert.deepStrictEqual(closed, ["a", "c"])
    first()
    third()
    lingering.begins()
    assert.deepStrictEqual(closed, ["a", "c"])
    lingering.begins()
    assert.deepStrictEqual(closed, ["a", "c", "b"])
    second()
    waits()
    linger("d")
    assert.deepStrictEqual(closed, ["a", "c", "b"])
    vi.advanceTimersByTime(1000)
    assert.deepStrictEqual(closed, ["a", "c", "b", "d"])
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})
