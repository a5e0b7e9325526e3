import { ConnectionLost, ProtocolError, RequestTimeout } from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { describe, expect, it } from "vitest"
import { retryAfterKey } from "../../src/access/RateLimited.js"
import * as Ended from "../../src/audit/Ended.js"
import { fault } from "../../src/conversation/errors.js"

const sent: Ended.Known = { isSent: true, isHidden: false, asksForTask: false }
const unsent: Ended.Known = { ...sent, isSent: false }

const of = { backend: "s", method: "tools/call", generation: 1, message: "no" }
const stopped = (fate: "unknown" | "notSent") => JsonRpcError.interrupted("it stops", fate)
const timeout = JsonRpcError.fromCallError(new RequestTimeout({ ...of, timeout: 5 }))
const notReady = { code: 5, message: "no", data: { tag: "NotReady", fate: "no fate" } }
const lost = JsonRpcError.fromCallError(new ConnectionLost(of as never))
const unreadable = JsonRpcError.fromCallError(new ProtocolError({ ...of, cause: undefined } as never))

describe("how a call ended", () => {
  it.each<[string, Record<string, unknown>, Partial<Ended.Known>, Ended.Ended["outcome"]]>([
    ["a result", { content: [] }, {}, "ok"],
    ["a result that is no error", { isError: false }, {}, "ok"],
    ["an error that the tool tells", { isError: true }, {}, "tool-error"],
    ["what looks like one", { isError: "true" }, {}, "ok"],
    ["a question", { resultType: "input_required", isError: true }, {}, "input-required"],
    ["a task of a server without sessions", { resultType: "task", isError: true }, {}, "task"],
    ["a task that was asked for", { task: { taskId: "t" } }, { asksForTask: true }, "task"],
    ["a task that was not asked for", { task: { taskId: "t" } }, {}, "ok"],
    ["no task where one was asked for", { task: "t" }, { asksForTask: true }, "ok"],
    ["what a server says of a limit of its own", { _meta: { [retryAfterKey]: 5 } }, {}, "ok"]
  ])("[G23:unit] with %s, which the server has answered", (_, result, known, outcome) => {
    expect(Ended.byAnswer({ result }, { ...sent, ...known })).toEqual({ outcome, fate: "answered" })
  })

  it("[G22 G23:unit] by the limit of calls, as a result and as an error, and only where it was not sent", () => {
    const refused = { outcome: "refused", reason: "RateLimited", fate: "notSent" }
    expect(Ended.byAnswer({ result: { _meta: { [retryAfterKey]: 5 } } }, unsent)).toEqual(refused)
    expect(Ended.byAnswer({ result: { _meta: {} } }, unsent)).toEqual({ outcome: "ok", fate: "answered" })
    expect(Ended.byAnswer({ result: { _meta: "x" as never } }, unsent)).toEqual({ outcome: "ok", fate: "answered" })
    const error = { code: -32_000, message: "no", data: { tag: "RateLimited", fate: "notSent" } }
    // Also where the tool is one that the caller may not use.
    for (const isHidden of [false, true]) {
      expect(Ended.byAnswer({ error }, { ...unsent, isHidden })).toEqual({ ...refused, code: -32_000 })
    }
    expect(Ended.byAnswer({ error }, sent)).toEqual({ outcome: "error", code: -32_000, fate: "answered" })
  })

  it("[G22 G23:unit] by the rules, where what was asked for is hidden and was not sent", () => {
    const error = { code: -32_602, message: "Unknown tool" }
    const hidden = { isHidden: true }
    const refused = { outcome: "refused", code: -32_602, reason: "NotAllowed", fate: "notSent" }
    expect(Ended.byAnswer({ error }, { ...unsent, ...hidden })).toEqual(refused)
    expect(Ended.byAnswer({ error }, unsent)).toEqual({ outcome: "error", code: -32_602, fate: "notSent" })
    const answered = { outcome: "error", code: -32_602, fate: "answered" }
    expect(Ended.byAnswer({ error }, { ...sent, ...hidden })).toEqual(answered)
  })

  it.each<[string, JsonRpcError.JsonRpcError, Ended.Known, Partial<Ended.Ended>]>([
    // What Lifeline says of a call is known; a server may write the same into an error of its own.
    ["a timeout", timeout, sent, { reason: "RequestTimeout", fate: "unknown" }],
    ["one that a server writes", { ...timeout }, sent, { fate: "answered" }],
    ["a lost connection", lost, sent, { reason: "ConnectionLost", fate: "notSent" }],
    ["an answer that nobody can read", unreadable, sent, { reason: "ProtocolError", fate: "answered" }],
    ["the end of Lifeline", stopped("unknown"), sent, { reason: "Interrupted", fate: "unknown" }],
    ["one before it was sent", stopped("notSent"), unsent, { reason: "Interrupted", fate: "notSent" }],
    ["a fault of the gateway", fault, sent, { fate: "unknown" }],
    ["one before it was sent", fault, unsent, { fate: "notSent" }],
    ["an error of the gateway's own words", notReady, unsent, { reason: "NotReady", fate: "notSent" }],
    ["an error without data", { code: 5, message: "no" }, sent, { fate: "answered" }],
    ["an error with data that is none", { code: 5, message: "no", data: "tag" }, unsent, { fate: "notSent" }],
    ["a reason that is no text", { code: 5, message: "no", data: { tag: 5 } }, unsent, { fate: "notSent" }]
  ])("[G23:unit] with %s: with its code, its reason and what is known of it", (_, error, known, expected) => {
    expect(Ended.byAnswer({ error }, known)).toEqual({ outcome: "error", code: error.code, ...expected })
  })

  it("[G23:unit] with an error whose code is none, without one", () => {
    const codeless = { outcome: "error", fate: "answered" }
    expect(Ended.byAnswer({ error: { code: "5" as never, message: "no" } }, sent)).toEqual(codeless)
  })

  it("[G23:unit] with a text that is passed on as it is, by its caller, and by the end of the gateway", () => {
    expect(Ended.byAnswer({ resultText: "{}" } as never, sent)).toEqual({ outcome: "ok", fate: "answered" })
    for (const fate of ["notSent", "unknown"] as const) {
      expect(Ended.byCancel(true, fate)).toEqual({ outcome: "cancelled", fate })
      expect(Ended.byCancel(false, fate)).toEqual({ outcome: "cancelled", fate: "notSent" })
    }
    expect(Ended.byCancel(true)).toEqual({ outcome: "cancelled", fate: "unknown" })
    expect([true, false].map(Ended.byEnd)).toEqual([
      { outcome: "error", reason: "Interrupted", fate: "unknown" },
      { outcome: "error", reason: "Interrupted", fate: "notSent" }
    ])
  })
})
