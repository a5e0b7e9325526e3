import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { assert, describe, it } from "vitest"
import * as Failures from "../src/Failures.js"
import * as JsonRpc from "../src/JsonRpc.js"
import * as LoginFailure from "../src/LoginFailure.js"

const connectError = (more: Partial<ConnectError> = {}) =>
  new ConnectError({ backend: "", reason: "unreachable", permanent: false, message: "ECONNREFUSED", ...more })

describe("what a failure means", () => {
  it("[X3:unit] what others wrote is one line of at most 500 characters", () => {
    assert.strictEqual(Failures.describe(new Error("a\nb\u001B[31mc")), "a bc")
    assert.strictEqual(Failures.describe("text"), "text")
    assert.strictEqual(Failures.describe("x".repeat(501)), "x".repeat(500))
    // Of what is longer only the beginning is looked at.
    assert.strictEqual(Failures.describe(`${"\u0000".repeat(2_000)}end`), "")
  })

  it("[C4:unit] a reason of a cancellation is a text, whatever it is", () => {
    assert.strictEqual(Failures.textOf(undefined), "the caller cancelled the request")
    assert.strictEqual(Failures.textOf("stop"), "stop")
    assert.strictEqual(
      Failures.textOf({
        toString: () => {
          throw new Error("no text")
        }
      }),
      "cancelled"
    )
  })

  it("[C9:unit] what was not sent, what may have been carried out, and what was answered have their fate", () => {
    const cause = new Error("EPIPE")
    const loss = { kind: "closed", message: "it is gone", retryAfter: 5, cause } as const
    assert.deepInclude(Failures.refused(loss), {
      fate: "notSent",
      reason: "lost",
      message: "it is gone",
      retryAfter: 5,
      cause
    })
    assert.deepInclude(Failures.cutOff(loss), {
      fate: "unknown",
      reason: "lost",
      message: "it is gone",
      retryAfter: 5,
      cause
    })
    assert.deepInclude(Failures.misused(cause), { fate: "notSent", reason: "fault", message: "EPIPE", cause })
    assert.deepInclude(Failures.timedOut("ping", "notSent"), {
      fate: "notSent",
      reason: "timeout",
      message: "ping could not be sent in time"
    })
    assert.deepInclude(Failures.timedOut("ping"), {
      fate: "unknown",
      reason: "timeout",
      message: "no answer to ping in time"
    })
  })

  it("[R12:unit] an error of the server is the answer to its request, whatever it says, and may mean that the session is lost", () => {
    const remote = (code: number, said: string, hasSession = true) => Failures.remote(code, said, undefined, hasSession)
    for (const said of ["Session not found", "bad arguments", "boom"]) {
      for (const code of [-32001, -32602, -32603, 0]) {
        assert.deepInclude(remote(code, said), { fate: "answered", reason: "remote", code, ifSessionLost: "answered" })
      }
    }
    for (const error of [remote(-32601, "no such method"), remote(-32602, "bad arguments", false)]) {
      assert.isUndefined(error.ifSessionLost)
    }
  })

  it("[C9:unit] what is thrown keeps what is known of it, and what nobody knows is a fault", () => {
    const known = Failures.timedOut("ping")
    assert.strictEqual(Failures.toRequestError(known, "notSent"), known)
    const unreachable = connectError({ retryAfter: 7 })
    assert.deepInclude(Failures.toRequestError(unreachable, "notSent"), {
      fate: "unknown",
      reason: "network",
      message: "ECONNREFUSED",
      retryAfter: 7,
      cause: unreachable
    })
    const thrown = new TypeError("x is not a function")
    for (const fate of ["notSent", "unknown"] as const) {
      assert.deepInclude(Failures.toRequestError(thrown, fate), {
        fate,
        reason: "fault",
        message: "x is not a function",
        cause: thrown
      })
    }
  })
})

describe("what a failure of initialize means for the attempt", () => {
  const remote = (more: object) => new RequestError({ fate: "answered", reason: "remote", message: "no", ...more })

  it("[R5:unit] an error of a connector, or one that hides behind the request's, is the error of the attempt", () => {
    const known = connectError({ permanent: true })
    assert.strictEqual(Failures.toConnectError(known), known)
    assert.strictEqual(
      Failures.toConnectError(new RequestError({ ...remote({}), reason: "lost", cause: known })),
      known
    )
  })

  it("[R5:unit] a server of other versions is named with them, and is not asked again", () => {
    const error = Failures.toConnectError(
      remote({ code: -32602, data: { supported: ["2030-01-01", 7, "2031-01-01", ...Array(200).fill("2032-01-01")] } })
    )
    assert.deepInclude(error, { reason: "incompatible", permanent: true })
    assert.include(error.message, "version 2030-01-01, 2031-01-01, 2032-01-01")
    assert.notInclude(error.message, "7")
    const stateless = Failures.toConnectError(remote({ code: JsonRpc.methodNotFound }))
    assert.deepInclude(stateless, { reason: "incompatible", permanent: true })
    assert.include(stateless.message, "does not know initialize")
  })

  it("[R5:unit] anything else may pass, and keeps its reason, its words and what caused it", () => {
    const refused = remote({ code: -32000, message: "a\nb", data: null })
    const attempt = Failures.toConnectError(refused)
    assert.deepInclude(attempt, { reason: "protocol", permanent: false })
    assert.strictEqual(attempt.message, "the server refused initialize: a b (code -32000)")
    assert.strictEqual(attempt.cause, refused)
    const cause = new Error("socket hang up")
    const lost = Failures.toConnectError(
      new RequestError({
        fate: "unknown",
        reason: "lost",
        message: "a\nb",
        retryAfter: 3,
        cause,
        code: JsonRpc.methodNotFound,
        data: { supported: ["2030-01-01"] }
      })
    )
    assert.deepInclude(lost, { reason: "closed", permanent: false, message: "a b", retryAfter: 3, cause })
    assert.deepInclude(Failures.toConnectError(new Error("x")), { reason: "defect", permanent: false, message: "x" })
  })
})

describe("what a person has to do who has to log in", () => {
  const describeLogin = (more: { readonly status?: number; readonly detail?: string; readonly address?: string }) =>
    LoginFailure.describe(new LoginFailure.LoginFailure({ status: 401, detail: "", cause: new Error("401"), ...more }))

  it("[A3:unit] the address is named where it is known, and why it is not shown where that is known", () => {
    const address = "https://id.example/authorize"
    assert.strictEqual(
      describeLogin({ address }),
      `HTTP 401: the server requires a login: a person has to log in at ${address}; once that is done, the connection is made`
    )
    assert.include(
      describeLogin({}),
      "the server requires a login: a person has to log in at the address that the auth"
    )
    for (const more of [{}, { address }]) {
      assert.strictEqual(
        describeLogin({ ...more, detail: "it could not be shown" }),
        "HTTP 401: the server requires a login, and it could not be shown"
      )
    }
    assert.include(
      describeLogin({ status: 403 }),
      "HTTP 403: the server requires more scopes than the login granted: a"
    )
  })
})
