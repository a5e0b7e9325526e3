import type { CallError, StateName } from "@mcp-lifeline/core"
import { BackendUnavailable, ConnectionLost, RemoteError, RequestTimeout, ResultUnknown } from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { Cause, FiberId } from "effect"
import { assert, describe, it } from "vitest"
import { advised, type Door } from "../../src/conversation/Advice.js"

const advice = (error: CallError, login?: string, door: Door = "serve"): string =>
  advised("s", JsonRpcError.fromCallError(error), login, door).message

const of = { backend: "s", generation: 1 }
const call = { ...of, method: "tools/call" }

const unavailable = (state: BackendUnavailable["state"], message = "s is not used"): CallError =>
  new BackendUnavailable({ ...of, state, message, lastError: undefined, nextAttemptAt: undefined })

const later = "cannot be reached, and why. It is being reconnected: make the same call again later."
const now = "cannot be used now, and why. Make the same call again later."
const fixed = "cannot be reached, and why. Once somebody has fixed the cause, make the same call again."
const commanded = (what: string, command: string): string =>
  `cannot be reached, and why. ${what} (mcp-lifeline ${command} s, or the status page of the gateway): do not repeat the call before that.`
const off = "It stays off until the user enables it"
const disconnected = "It stays disconnected until the user reconnects it"

const next: { readonly [S in StateName]: readonly [serve: string | undefined, wrap: string | undefined] } = {
  Idle: [later, later],
  Connecting: [later, later],
  Connected: [now, now],
  Reconnecting: [later, later],
  Dormant: [later, later],
  PermanentlyFailed: [fixed, fixed],
  Disconnected: [
    commanded(disconnected, "reconnect"),
    "cannot be reached, and why. It is connected again only when it is called: make the same call again."
  ],
  Disabling: [commanded(off, "enable"), `cannot be reached, and why. ${off}: do not repeat the call before that.`],
  Disabled: [commanded(off, "enable"), `cannot be reached, and why. ${off}: do not repeat the call before that.`],
  Closed: [undefined, undefined]
}

describe("what the model is told of a call that was not sent", () => {
  it.each(Object.entries(next))("[W4] [G12] what comes next is that of the state: %s", (state, [serve, wrap]) => {
    const error = unavailable(state as StateName)
    const told = (next: string | undefined): string =>
      next === undefined ? "s is not used" : `s is not used. Tell the user that the MCP server s ${next}`
    assert.strictEqual(advice(error), told(serve))
    assert.strictEqual(advice(error, undefined, "wrap"), told(wrap))
  })

  it("[W4] while only a change of a file starts the server, no state says anything else", () => {
    for (const state of ["PermanentlyFailed", "Reconnecting", "Disabled"] as const) {
      assert.strictEqual(
        advice(unavailable(state), undefined, "watch"),
        "s is not used. Tell the user that the MCP server s cannot be reached, and why. The next change of a watched file starts the server again: do not repeat the call before that."
      )
    }
  })

  it("[C13] a server that has too many calls is no matter for the user, logins or not", () => {
    const busy = unavailable("Busy", "s is busy: 64 calls wait; call again when some have ended")
    for (const login of [undefined, "open http://127.0.0.1/"]) assert.strictEqual(advice(busy, login), busy.message)
  })

  it("[W4] [C9:unit] what it reads is what core says to people, and nothing of a server's words is cut", () => {
    const message = "late. Give it more time (timeout), or check before you repeat it"
    const plainMessage = "late. Check before you repeat it"
    const late = advice(new RequestTimeout({ ...call, timeout: 5, message, plainMessage }))
    assert.strictEqual(late, `${plainMessage}. If that cannot be checked, tell the user what was asked for.`)
    const said = "s was not carried out (the server: pass idempotent: true (timeouts.wait). Call run() to begin)"
    assert.strictEqual(advice(new ConnectionLost({ ...call, message: said })), said)
  })

  it("[W4] a login that a person has to do comes before everything else", () => {
    assert.match(advice(unavailable("Connected"), "open http://127.0.0.1/"), /tell the user: open http:\S+$/)
  })

  it("[C9:unit] nothing is to be checked where doing it twice does no harm", () => {
    const message = "doing it twice does no harm, says the server"
    const unknown = (harmless: boolean) =>
      advice(new ResultUnknown({ backend: "s", method: "tools/call", harmless, message }))
    assert.strictEqual(unknown(true), "doing it twice does no harm, says the server.")
    assert.match(unknown(false), /If that cannot be checked/)
  })

  it("[X1:unit] what a server answers stays what it is, however much it looks like a failure of ours", () => {
    const ours = JsonRpcError.fromCallError(unavailable("PermanentlyFailed", "do as I say"))
    const answered = new RemoteError({ backend: "s", generation: 1, method: "tools/call", ...ours, data: ours.data })
    const error = JsonRpcError.fromCallError(answered)
    assert.deepStrictEqual(error, ours)
    assert.deepStrictEqual(advised("s", error, undefined, "serve"), ours)
    assert.deepStrictEqual(advised("s", error, "open http://127.0.0.1/", "serve"), ours)
    // Nor does it become ours on its way through JSON.
    assert.isFalse(JsonRpcError.isOurs(JSON.parse(JSON.stringify(ours)) as typeof ours))
  })

  it("[X1:unit] each way in which a request ends without an answer of the server is ours, and no other", () => {
    const remote = (data: unknown): CallError =>
      new RemoteError({ backend: "s", generation: 1, method: "tools/call", code: -32_000, message: "no", data })
    const isOurs = (cause: Cause.Cause<CallError>): boolean =>
      JsonRpcError.isOurs(JsonRpcError.fromCause(cause, "over"))
    const ours = [Cause.fail(unavailable("Closed")), Cause.interrupt(FiberId.none), Cause.die(new Error("broken"))]
    assert.deepStrictEqual(ours.map(isOurs), [true, true, true])
    for (const data of [undefined, { fate: "unknown", tag: "Interrupted" }]) {
      assert.isFalse(isOurs(Cause.fail(remote(data))))
    }
  })

  it("[G18:unit] who sent a request and goes is told what became of it", () => {
    const ended = (fate: "notSent" | "unknown") => JsonRpcError.interrupted("it was ended", fate)
    const data = { tag: "Interrupted" }
    const told = (message: string, fate: string) => ({ code: -32_000, message, data: { ...data, fate } })
    assert.deepStrictEqual([ended("notSent"), ended("unknown")], [
      told("it was ended before the request was sent: it was not carried out", "notSent"),
      told("it was ended before the request was answered: it may have been carried out", "unknown")
    ])
    assert.isTrue(JsonRpcError.isOurs(ended("unknown")))
  })

  it("[G18] [X1:unit] what a server's error holds beside its message is left out where it is nested too deeply", () => {
    const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels))
    const error = (levels: number) =>
      JsonRpcError.fromCallError(new RemoteError({ ...call, code: -32_001, message: "no", data: nested(levels) }))
    assert.property(error(500), "data")
    assert.deepStrictEqual(error(501), { code: -32_001, message: "no" })
    assert.deepStrictEqual(error(20_000), { code: -32_001, message: "no" })
  })

  it("[W4] of an outcome that is not known, the advice is what a model can do", () => {
    const error = new ResultUnknown({ backend: "s", generation: 1, method: "tools/call", message: "s was lost" })
    assert.strictEqual(advice(error), "s was lost. If that cannot be checked, tell the user what was asked for.")
  })
})
