import { assert, describe, it } from "vitest"
import { describe as textOf } from "../src/FailureText.js"
import { RedirectFailure, StatusFailure } from "../src/HttpFailure.js"

const x = (length: number): string => "x".repeat(length)

describe("what is said of a failed exchange", () => {
  it("[X5:unit] is one line of a bearable length, whatever the server has sent", () => {
    const status = new StatusFailure({
      status: 500,
      detail: x(100_000),
      error: undefined,
      retryAfter: undefined,
      renewable: false,
      authorized: false,
      session: false
    })
    const redirect = new RedirectFailure({ status: 302, to: `https://a.example/\n${x(100_000)}`, why: "origin" })
    for (const failure of [status, redirect]) {
      const text = textOf(failure)
      assert.isBelow(text.length, 4050)
      assert.match(text, /^HTTP \d+.*x… \[cut: \d{6} characters\]$/)
    }
  })
})
