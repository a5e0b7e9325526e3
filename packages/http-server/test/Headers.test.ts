import { describe, expect, it } from "vitest"
import * as Headers from "../src/Headers.js"

const version = "2026-07-28"

describe("the headers of a request", () => {
  it.each<[number | undefined, string | undefined, string | undefined]>([
    [undefined, "application/json, text/event-stream", "application/json"],
    [undefined, "*/*", "application/json"],
    [undefined, "text/event-stream;q=1, application/*, */*;q=0.1", "APPLICATION/JSON; charset=utf-8"],
    [undefined, "*/*", "application/json  ;charset=utf-8"],
    [406, undefined, "application/json"],
    [406, "", "application/json"],
    [406, "application/json", "application/json"],
    [406, "text/event-stream", "application/json"],
    [415, "*/*", undefined],
    [415, "*/*", "application/json-seq"],
    [415, "*/*", "application/json-seq; x"],
    [415, "*/*", "x-application/json"],
    [415, "*/*", "text/plain; application/json"]
  ])("[G1:unit] a POST is refused with %s for Accept %j and Content-Type %j", (status, accept, type) => {
    expect(Headers.checkPost({ accept, "content-type": type })?.status).toBe(status)
  })

  it("[G1:unit] a GET is for a stream of events, of a version that has sessions", () => {
    for (const accept of ["text/event-stream", "*/*"]) expect(Headers.checkGet({ accept })).toBeUndefined()
    for (const accept of [undefined, "", "application/json"]) expect(Headers.checkGet({ accept })?.status).toBe(406)
    for (const named of [undefined, "2025-03-26", "2025-11-25"]) expect(Headers.checkVersion(named)).toBeUndefined()
    const refused = Headers.checkVersion(`2099"${"x".repeat(10_000)}`)
    expect(refused?.status).toBe(400)
    expect(refused?.message.length).toBeLessThan(300)
  })
})

const refused = (
  headers: Record<string, string | undefined>,
  method: string,
  params?: Record<string, unknown>,
  named: unknown = version
) =>
  Headers.checkStateless(
    { "mcp-protocol-version": version, "mcp-method": method, ...headers },
    { jsonrpc: "2.0", id: 5, method, params },
    named
  )?.code

describe("the headers of a request without a session", () => {
  const mismatch = -32_020

  it("[E8:unit] have the version of the body, and its method", () => {
    expect(refused({}, "tools/list")).toBeUndefined()
    expect(refused({ "mcp-method": " tools/list " }, "tools/list")).toBeUndefined()
    expect(refused({ "mcp-method": "tools/call" }, "tools/list")).toBe(mismatch)
    expect(refused({ "mcp-method": undefined }, "undefined")).toBe(mismatch)
    expect(refused({ "mcp-protocol-version": "2025-11-25" }, "tools/list")).toBe(mismatch)
    expect(refused({ "mcp-protocol-version": undefined }, "tools/list", {}, undefined)).toBe(mismatch)
    expect(refused({}, "tools/list", {}, null)).toBe(mismatch)
    // The version itself is refused later, with those that there are.
    expect(refused({ "mcp-protocol-version": "2099-01-01", "mcp-method": "x" }, "tools/list", {}, "2099-01-01"))
      .toBeUndefined()
  })

  it("[E8:unit] that are refused leave their connection open, and are answered under the id of their request", () => {
    const request = { jsonrpc: "2.0", id: 5, method: "tools/list" } as const
    const headers = { "mcp-protocol-version": version, "mcp-method": "tools/call" }
    const about = { status: 400, id: 5, isRead: true }
    expect(Headers.checkStateless(headers, request, version)).toMatchObject({ ...about, code: mismatch })
    expect(Headers.checkStateless({ "mcp-method": "tools/list" }, request, version)).toMatchObject({
      ...about,
      code: mismatch,
      message: expect.stringContaining("MCP-Protocol-Version is missing")
    })
    expect(Headers.checkStateless(headers, request, undefined)).toMatchObject({ ...about, code: -32_602 })
  })

  it("[E8:unit] have the name or the address of what is asked for, where it has one", () => {
    for (const [method, parameter] of [["tools/call", "name"], ["prompts/get", "name"], ["resources/read", "uri"]]) {
      const params = { [parameter!]: "x" }
      expect(refused({ "mcp-name": "x" }, method!, params)).toBeUndefined()
      for (const name of [undefined, "", "y", "X"]) {
        expect(refused({ "mcp-name": name }, method!, params)).toBe(mismatch)
      }
      expect(refused({}, method!, { [parameter!]: "undefined" })).toBe(mismatch)
      // What has none, or no text for one, is refused by its server.
      for (const params of [undefined, {}, { [parameter!]: 7 }]) expect(refused({}, method!, params)).toBeUndefined()
    }
    for (const method of ["tools/list", "constructor", "__proto__"]) {
      expect(refused({}, method, { name: "x", uri: "x" })).toBeUndefined()
    }
  })

  it.each<[name: string, header: string, isRight: boolean]>([
    ["größe", "=?base64?Z3LDtsOfZQ==?=", true],
    ["größe", "=?base64?Z3LDtsOfZQ?=", true],
    ["größe", "  =?base64?Z3LDtsOfZQ==?=  ", true],
    ["größe", "=?base64?Z3LDtsOfZQ==?= ?=", false],
    ["größe", "=?base64?Z3LDts OfZQ==?=", false],
    ["größe", "=?base64?Z3LDtsOfZQ=!?=", false],
    ["größe", "=?base64?Z3LDtsOfZR?=", false],
    ["", "=?base64??=", true],
    ["a=b", "=?base64?YT1i?=", true],
    ["x", " x ", true],
    ["x=?base64?eA==?=", "x=?base64?eA==?=", true],
    ["=?base64?eA==?=x", "=?base64?eA==?=x", true],
    ["x", "=?base64?eA==?=x", false]
  ])("[E8:unit] are decoded: %j is %j (%j)", (name, header, isRight) => {
    expect(refused({ "mcp-name": header }, "tools/call", { name })).toBe(isRight ? undefined : mismatch)
  })
})
