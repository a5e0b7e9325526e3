import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Messages from "../src/Messages.js"

const response = {
  jsonrpc: "2.0",
  id: 7,
  result: { content: [{ type: "text", text: 'a "}" \\ {"jsonrpc":' }] }
} as const
const text = JSON.stringify(response)
const error = { code: -32_603, message: "no" }

/** What stands beside a message, and is none. */
const noise = fc.stringMatching(/^[\x20-\x7e]{0,40}$/).filter((one) =>
  !/"(?:jsonrpc|id|result|error|method)"\s*:/.test(one)
)

describe("what a server sends", () => {
  it("[C9] is read wherever the message stands in it", () => {
    fc.assert(fc.property(noise, noise, noise, (before, between, after) => {
      const { messages } = Messages.read(`${before}${text}${between}${text}${after}`)
      expect(messages).toEqual([response, response])
    }))
  })

  it("[C9] is a response also as some servers write it", () => {
    const read = (value: object) => Messages.read(JSON.stringify(value))
    expect(read([response, response]).messages).toEqual([response, response])
    expect(read({ ...response, error: null }).messages).toEqual([response])
    expect(read({ id: 7, result: response.result }).messages).toEqual([response])
    expect(read({ ...response, id: null }).messages).toEqual([{ jsonrpc: "2.0", result: response.result }])
    expect(read({ ...response, id: 1.5 }).messages).toEqual([{ jsonrpc: "2.0", result: response.result }])
    expect(read({ jsonrpc: "2.0", id: 7, error: "no" }).messages).toEqual([{ jsonrpc: "2.0", id: 7, error }])
    expect(read({ jsonrpc: "2.0", id: 7, error: { code: "E_NO", message: "no" } }).messages).toEqual([
      { jsonrpc: "2.0", id: 7, error: { code: -32_603, message: "no (E_NO)" } }
    ])
    expect(read({ jsonrpc: "2.0", id: 7, result: null, error }).messages).toEqual([{ jsonrpc: "2.0", id: 7, error }])
  })

  it("[C9] is not taken for a message where a program prints objects, or what it has received", () => {
    for (
      const one of [
        "",
        "listening on 3000",
        JSON.stringify({ error: "boom", time: 1 }),
        JSON.stringify({ level: "info", id: 7 }),
        `sent ${JSON.stringify({ error: "boom" })}`,
        `got ${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: {} })}`,
        `got ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } })}`,
        JSON.stringify({ printed: text })
      ]
    ) expect([one, Messages.read(one).messages]).toEqual([one, []])
    const question = { jsonrpc: "2.0", id: 1, method: "elicitation/create", params: {} }
    expect(Messages.read(`now ${JSON.stringify(question)}`).messages).toEqual([question])
  })

  it("[X1:unit C9] may be nested more deeply than can be written again, beside a message too", () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
    const pong = { jsonrpc: "2.0", id: 1, result: {} }
    const { isJson, messages, unread } = Messages.read(`[${deep},${JSON.stringify(pong)}]`)
    expect([isJson, messages, unread.length]).toEqual([true, [pong], 1])
  })

  it("[C9] names its request where it cannot be read", () => {
    const unread = (one: string) => Messages.read(one).unread.find(({ isOfProtocol }) => isOfProtocol)
    expect(unread(text.replace("[{", "NaN,[{"))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(text.slice(0, -3))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(`note ${text.slice(0, -3)}`)).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(JSON.stringify({ jsonrpc: "2.0", id: 7 }))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(JSON.stringify({ jsonrpc: "2.0", id: 7, method: "ping", params: [] }))).toMatchObject({
      id: 7,
      hasMethod: true
    })
    expect(unread("out of memory")).toBeUndefined()
    expect(Messages.read(`one ${text.slice(0, -3)}`).unread.map((part) => part.text)).toEqual([
      "one ",
      text.slice(0, -3)
    ])
  })
})
