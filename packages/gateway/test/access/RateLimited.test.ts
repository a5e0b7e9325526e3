import { describe, expect, it } from "vitest"
import * as RateLimited from "../../src/access/RateLimited.js"

describe("what somebody is told who has made too many calls", () => {
  it.each(
    [
      [1, 1, "Wait 1 second, and"],
      [60, 1000, "Wait 1 second, and"],
      [60, 1001, "Wait 2 seconds, and"],
      [1, 59_500, "Wait 60 seconds, and"]
    ] as const
  )(
    "[G22:unit] with a limit of %s: how long to wait, %s ms, in whole seconds, never too few",
    (perMinute, retryAfter, says) => {
      expect(RateLimited.messageOf(perMinute, retryAfter)).toContain(says)
      expect(RateLimited.messageOf(perMinute, retryAfter)).toContain(
        `the limit of ${perMinute} call${perMinute === 1 ? "" : "s"} a minute`
      )
    }
  )

  it("[G22:unit] in milliseconds for programs: with the result of a tool, and with the error of any other call", () => {
    expect(RateLimited.answer("tools/call", 60, 1500)).toMatchObject({
      result: {
        content: [{ type: "text", text: RateLimited.messageOf(60, 1500) }],
        isError: true,
        _meta: { "mcp-lifeline/retryAfter": 1500 }
      }
    })
    for (const method of ["prompts/get", "resources/read"]) {
      expect(RateLimited.answer(method, 60, 1500)).toMatchObject({
        error: { data: { fate: "notSent", tag: "RateLimited", retryAfter: 1500 } }
      })
    }
  })
})
