import { LoginFailure } from "@mcp-lifeline/protocol"
import { assert, describe, it } from "vitest"
import * as Failure from "../src/HttpFailure.js"
import * as Outcome from "../src/Outcome.js"
import { status as failed } from "./fixtures/Played.js"

const network = (more: Partial<Failure.NetworkFailure> = {}) =>
  new Failure.NetworkFailure({
    kind: "reset",
    sent: true,
    code: "ECONNRESET",
    proxy: undefined,
    proxyStatus: undefined,
    cause: new Error("gone"),
    ...more
  })

const status = (code: number, more: Partial<Failure.StatusFailure> = {}) =>
  failed(code, { detail: "words of the server", authorized: true, session: true, ...more })

const redirect = new Failure.RedirectFailure({ status: 302, to: "https://a.example", why: "origin" })
const answer = new Failure.AnswerFailure({ detail: "no JSON" })
const cut = new Failure.CutFailure({ detail: "ended" })
const credential = new Failure.CredentialFailure({ detail: "no token", cause: undefined })
const login = new LoginFailure.LoginFailure({ status: 401, detail: "", cause: new Error("401") })
const error = { code: -32602, data: { field: "x" } }

describe("what a failed exchange means", () => {
  it("[T3:unit] for an attempt to connect: its reason, and whether the same credentials are of any use", () => {
    const reasons = (...failures: ReadonlyArray<Failure.HttpFailure>) =>
      failures.map((failure) => Outcome.toConnectError(failure, "https://a.example/mcp").reason)
    const ofNetwork = {
      refused: "refused",
      unreachable: "unreachable",
      exhausted: "unreachable",
      tls: "tls",
      timeout: "timeout",
      slow: "timeout",
      reset: "closed",
      tooLarge: "protocol",
      protocol: "protocol",
      fault: "defect"
    } as const
    for (const [kind, reason] of Object.entries(ofNetwork)) {
      assert.deepStrictEqual(reasons(network({ kind: kind as keyof typeof ofNetwork })), [reason], kind)
    }
    assert.deepStrictEqual(reasons(redirect, answer, cut, credential, login), [
      "redirect",
      "protocol",
      "closed",
      "unauthorized",
      "unauthorized"
    ])
    const ofStatus = {
      unauthorized: [401, 407],
      forbidden: [403],
      notFound: [404, 410],
      rateLimited: [429],
      server: [408, 425, 500, 503],
      protocol: [400, 405, 418, 499]
    }
    for (const [reason, codes] of Object.entries(ofStatus)) {
      for (const code of codes) assert.deepStrictEqual(reasons(status(code)), [reason], String(code))
    }
    for (const code of [401, 403]) {
      assert.isTrue(Outcome.toConnectError(status(code), "x").permanent)
      assert.isFalse(Outcome.toConnectError(status(code, { renewable: true }), "x").permanent)
    }
    for (const failure of [status(404), status(500), network(), login]) {
      assert.isFalse(Outcome.toConnectError(failure, "x").permanent)
    }
    const limited = status(429, { retryAfter: 7_000 })
    assert.deepInclude(Outcome.toConnectError(limited, "https://a.example/mcp"), { retryAfter: 7_000, cause: limited })
    assert.include(Outcome.toConnectError(limited, "https://a.example/mcp").message, "https://a.example/mcp: HTTP 429")
    assert.isUndefined(Outcome.toConnectError(status(429), "x").retryAfter)
  })

  it("[T3:unit] for a request: whether the server may have carried it out", () => {
    const outcome = (failure: Failure.HttpFailure) => {
      const { fate, reason } = Outcome.toRequestError(failure, "https://a.example/mcp")
      return [fate, reason]
    }
    for (const sent of [true, false]) {
      const fate = sent ? "unknown" : "notSent"
      assert.deepStrictEqual(outcome(network({ sent })), [fate, "network"])
      assert.deepStrictEqual(outcome(network({ sent, kind: "fault" })), [fate, "fault"])
      assert.deepStrictEqual(outcome(network({ sent, kind: "tooLarge" })), ["answered", "protocol"])
    }
    assert.deepStrictEqual(outcome(redirect), ["answered", "protocol"])
    assert.deepStrictEqual(outcome(answer), ["answered", "protocol"])
    assert.deepStrictEqual(outcome(cut), ["unknown", "network"])
    assert.deepStrictEqual(outcome(credential), ["notSent", "unauthorized"])
    assert.deepStrictEqual(outcome(login), ["rejected", "unauthorized"])
    for (const code of [401, 403, 407]) assert.deepStrictEqual(outcome(status(code)), ["rejected", "unauthorized"])
    assert.deepStrictEqual(outcome(status(429)), ["rejected", "rateLimited"])
    assert.deepStrictEqual(outcome(status(503, { retryAfter: 1 })), ["rejected", "server"])
    for (const failure of [status(503), status(500, { retryAfter: 1 }), status(500), status(408)]) {
      assert.deepStrictEqual(outcome(failure), ["unknown", "server"])
    }
    assert.deepStrictEqual(outcome(status(400)), ["answered", "protocol"])
    assert.deepStrictEqual(outcome(status(400, { error })), ["answered", "remote"])
  })

  it("[T3:unit] the words of the server are the message of its own error, and the address stands before ours", () => {
    const remote = Outcome.toRequestError(status(400, { error }), "https://a.example/mcp")
    assert.deepInclude(remote, { message: "words of the server", ...error })
    const limited = status(429, { retryAfter: 2_000, error })
    const ours = Outcome.toRequestError(limited, "https://a.example/mcp")
    assert.include(ours.message, "https://a.example/mcp: HTTP 429 (words of the server)")
    assert.deepInclude(ours, { retryAfter: 2_000, cause: limited })
    assert.isUndefined(ours.code)
    assert.isUndefined(Outcome.toRequestError(network(), "x").retryAfter)
    assert.deepInclude(Outcome.toRequestError(status(500), "x", ["notSent", "lost"]), {
      fate: "notSent",
      reason: "lost"
    })
  })

  it("[R12:unit] a refusal that may mean a lost session says what would have become of the request", () => {
    assert.strictEqual(Outcome.toRequestError(status(400), "x").ifSessionLost, "rejected")
    for (const failure of [status(400, { session: false }), status(404), status(500), network()]) {
      assert.isUndefined(Outcome.toRequestError(failure, "x").ifSessionLost)
    }
  })

  it("[E1:unit] without sessions, what a server answers that does not speak so is marked, and its own codes are not", () => {
    const marked = (failure: Failure.HttpFailure) => Outcome.toStatelessError(failure, "x").ifSessionLost
    for (const failure of [status(400), status(405), status(400, { error: { code: -32000, data: undefined } })]) {
      assert.strictEqual(marked(failure), "rejected")
    }
    for (const code of [-32601, -32602, -32603, -32020, -32021]) {
      assert.isUndefined(marked(status(400, { error: { code, data: undefined } })), String(code))
    }
    for (const failure of [status(500), status(401), answer, redirect]) assert.isUndefined(marked(failure))
    assert.deepInclude(Outcome.toStatelessError(cut, "x"), { fate: "unknown", reason: "network" })
  })

  it("[T3:unit] an HTTP error with a JSON-RPC error is the server's answer, where HTTP does not say more", () => {
    assert.isTrue(Outcome.isAnswer(status(400, { error })))
    for (const code of [401, 404, 429, 500]) assert.isFalse(Outcome.isAnswer(status(code, { error })), String(code))
    for (const failure of [status(400), answer, network({ kind: "tooLarge" })]) {
      assert.isFalse(Outcome.isAnswer(failure))
    }
  })
})
