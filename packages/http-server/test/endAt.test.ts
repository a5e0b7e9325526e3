import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { endAt } from "../src/endAt.js"
import * as Reader from "./support/Reader.js"

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

const day = 24 * 60 * 60 * 1000

describe("an answer that ends at a time", () => {
  it.each([["in a second", 1000], ["later than a timer of Node.js can wait", 60 * day]])(
    "[G21:unit] ends then, and not before: %s",
    (_, left) => {
      const { end, response } = Reader.make()
      endAt(response, Date.now() + left)
      vi.advanceTimersByTime(left - 1)
      expect(end()).toBeUndefined()
      vi.advanceTimersByTime(1)
      expect(end()).toBe("ended")
    }
  )

  it("[G21:unit] ends at once where the time has passed", () => {
    for (const left of [0, -1, -60 * day]) {
      const { end, response } = Reader.make()
      endAt(response, Date.now() + left)
      expect([end(), vi.getTimerCount()]).toEqual(["ended", 0])
    }
  })

  it("[G21:unit X5] has no timer once it is over, also after that has been set again", () => {
    for (const waited of [0, 50 * day]) {
      const { leave, response } = Reader.make()
      endAt(response, Date.now() + 60 * day)
      vi.advanceTimersByTime(waited)
      expect(vi.getTimerCount()).toBe(1)
      leave()
      expect(vi.getTimerCount()).toBe(0)
    }
  })
})
