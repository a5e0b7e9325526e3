import { expect, it } from "vitest"
import { NoAnswer, within } from "../src/within.js"

const never = () => new Promise<never>(() => undefined)

it("[X1] work on files ends with its own result, or after its limit", async () => {
  expect(await within("/a", () => Promise.resolve(1))).toBe(1)
  await expect(within("/a", () => Promise.reject(new Error("why")))).rejects.toThrow("why")
  await expect(within("/a/hung", never, 10)).rejects.toThrow(
    "the file system of /a/hung did not answer within 0.01 seconds"
  )
})

it("[X1] a limit that was not reached keeps nothing waiting", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
  const before = timers()
  await within("/d", () => Promise.resolve(1))
  expect(timers()).toBe(before)
})

it("[X1] no more work begins on what does not answer, until it does; other files are not concerned", async () => {
  const ends: Array<() => void> = []
  const work = () => new Promise<void>((resolve) => ends.push(resolve))
  // Two that began together are late together.
  await expect(Promise.all([within("/b", work, 10), within("/b", work, 10)])).rejects.toBeInstanceOf(NoAnswer)
  await new Promise((resolve) => setTimeout(resolve, 20))
  const begun: Array<number> = []
  const more = () => within("/b", () => Promise.resolve(begun.push(1)), 10)
  await expect(more()).rejects.toThrow("still does not answer")
  expect(await within("/c", () => Promise.resolve(1))).toBe(1)
  ends[0]?.()
  await Promise.resolve()
  await expect(more()).rejects.toThrow("still does not answer")
  expect(begun).toEqual([])
  ends[1]?.()
  await new Promise((resolve) => setTimeout(resolve, 0))
  expect(await more()).toBe(1)
})
