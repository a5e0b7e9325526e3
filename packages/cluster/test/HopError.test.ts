import { BackendUnavailable, ProtocolError, RemoteError, RequestError } from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { Cause } from "effect"
import { describe, expect, it } from "vitest"
import { escaped, unescaped } from "../src/hop/HopError.js"

const arrived = (error: JsonRpcError.JsonRpcError): RequestError => {
  const answer = escaped({ error })
  if (!("error" in answer)) throw new Error("no error")
  const { code, data, message } = JSON.parse(JSON.stringify(answer.error)) as JsonRpcError.JsonRpcError
  return unescaped("tools/call", new RequestError({ fate: "answered", reason: "remote", code, message, data })).error
}

describe("errors across the hop", () => {
  it.each(["notSent", "unknown"] as const)("[D2] the fate %s of a request that the owner has ended holds", (fate) => {
    expect(arrived(JsonRpcError.interrupted("the replica stops", fate))).toMatchObject({ fate, reason: "lost" })
  })

  it.each(["Closed", "Dormant"])("[D4] the owner goes if its backend is closed, and else it stays: %s", (state) => {
    const error = new BackendUnavailable({ backend: "notes", message: "x", state })
    const { code, data, message } = JsonRpcError.fromCallError(error)
    const meaning = unescaped(
      "tools/call",
      new RequestError({ fate: "answered", reason: "remote", code, message, data })
    )
    expect(meaning.isGoing).toBe(state === "Closed")
    expect(meaning.error.reason).toBe(state === "Closed" ? "lost" : "remote")
  })

  it("[D2] a request that was interrupted at the owner may have been carried out", () => {
    const error = JsonRpcError.fromCause(Cause.interrupt(0 as never), "the replica stops")
    expect(arrived(error)).toMatchObject({ fate: "unknown", reason: "lost" })
  })

  it.each([
    { code: -32000, message: "x", data: { tag: "Interrupted", fate: "notSent" } },
    { code: -32000, message: "x", data: { tag: "ResultUnknown", fate: "unknown", more: [1] } },
    { code: -32000, message: "x", data: { other: 1 } },
    { code: -32000, message: "x", data: "text" },
    { code: -32000, message: "x" },
    { code: -32602, message: "x", data: { tag: "Interrupted", fate: "notSent" } },
    { code: -32000, message: "x", data: { "mcp-lifeline/public": "y" } },
    { code: -32602, message: "x", data: { "mcp-lifeline/public": "y" } }
  ])("[D2] a server's own error %j is an answer, and unchanged", (error) => {
    const { code, data, fate, message, reason } = arrived(error)
    expect({ fate, reason }).toEqual({ fate: "answered", reason: "remote" })
    expect({ code, message, ...(data === undefined ? {} : { data }) }).toEqual(error)
  })

  it.each([
    new BackendUnavailable({
      backend: "a",
      message: "secret",
      state: "Dormant",
      lastError: "secret",
      publicMessage: "known"
    }),
    new ProtocolError({ backend: "a", message: "secret", publicMessage: "known" }),
    new RemoteError({ backend: "a", method: "m", code: -32603, message: "secret", publicMessage: "known" }),
    new BackendUnavailable({ backend: "a", message: "secret", state: "Dormant" })
  ])("[G22 D2] what the owner says of $message is for the same people on each replica", (error) => {
    const { code, data, message, publicMessage } = arrived(JsonRpcError.fromCallError(error))
    const there = JsonRpcError.fromCallError(
      new RemoteError({ backend: "a", method: "m", code: code ?? 0, data, message, publicMessage })
    )
    expect(there.message).toBe("secret")
    const shown = JsonRpcError.publicOf(there)
    expect(JSON.stringify(shown)).not.toMatch(/secret|mcp-lifeline\/public/)
    expect(shown.message).toBe(error.publicMessage ?? "The request was not carried out")
  })

  it("[G22 D2] a defect of the owner is told to nobody but admins", () => {
    const { code, data, message, publicMessage } = arrived(JsonRpcError.fromCause(Cause.die(new Error("secret")), "x"))
    const there = new RemoteError({ backend: "a", method: "m", code: code ?? 0, data, message, publicMessage })
    expect(JSON.stringify(JsonRpcError.publicOf(JsonRpcError.fromCallError(there)))).not.toContain("secret")
  })

  it("[D2] other failures are as they are", () => {
    const error = new RequestError({ fate: "unknown", reason: "timeout", message: "late" })
    expect(unescaped("tools/call", error)).toEqual({ error, isGoing: false })
  })
})
