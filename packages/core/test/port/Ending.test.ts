import { expect, it } from "@effect/vitest"
import type { Loss } from "@mcp-lifeline/core"
import { Ending } from "@mcp-lifeline/core/internal"

const loss = (message: string): Loss => ({ kind: "closed", message })

it("[L4:unit] of several losses the first is told, once, also to a listener that comes later", () => {
  const ending = new Ending()
  const told: Array<string> = []
  ending.onLost(({ message }) => told.push(message))
  ending.lose(loss("first"))
  ending.lose(loss("second"))
  expect(told).toEqual(["first"])
  expect(ending.loss).toEqual(loss("first"))
  ending.onLost(({ message }) => told.push(`late: ${message}`))
  expect(told).toEqual(["first", "late: first"])
})

it("[L4:unit] a loss that follows from the first, before that is told, does not count", () => {
  const ending = new Ending()
  const told: Array<string> = []
  ending.onLost(({ message }) => told.push(message))
  expect(ending.claim(loss("first"))).toBe(true)
  expect(told).toEqual([])
  ending.lose(loss("second"))
  expect([told, ending.claim(loss("third"))]).toEqual([[], false])
  ending.tell()
  expect(told).toEqual(["first"])
})
