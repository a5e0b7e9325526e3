import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { inspect } from "node:util"
import * as Messages from "../src/Messages.js"

const response = {
  jsonrpc: "2.0",
  id: 7,
  result: { content: [{ type: "text", text: 'a "}" \\ {"jsonrpc":' }] }
} as const
const text = JSON.stringify(response)
const error = { code: -32_603, message: "no" }

const printers: ReadonlyArray<(value: unknown) => string> = [
  (value) => inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 9 }),
  (value) => `called ${inspect(value, { breakLength: Number.POSITIVE_INFINITY })}`,
  (value) => JSON.stringify({ level: "info", args: value }),
  (value) => `args=${JSON.stringify(value)}`,
  (value) => `args=${JSON.stringify(JSON.stringify(value))}`,
  // As Python's repr.
  (value) => `{'query': '${String(value).replaceAll("'", "\\'")}'}`,
  (value) => `[${String(value)}`,
  (value) => `> ${String(value)} <`
]

describe("what a server sends", () => {
  it("[C9 X1:unit] is a message only as a whole: nothing that a program prints is one, whatever texts are in it", () => {
    const question = { jsonrpc: "2.0", id: 1, method: "elicitation/create", params: { message: "Your password?" } }
    const written = fc.array(
      fc.oneof(fc.string(), fc.constantFrom(response, question).map((one) => JSON.stringify(one)))
    )
      .map((texts) => texts.join(" "))
    fc.assert(fc.property(written, fc.constantFrom(...printers), fc.boolean(), (said, print, isNested) => {
      const line = print(isNested ? { name: "search", arguments: { query: said, more: [said] } } : said)
      expect(Messages.read(line.replaceAll("\n", " ")).messages).toEqual([])
    }))
    expect(Messages.read(`${text}${text}`).messages).toEqual([])
  })

  it("[P12] is a notification or a request also where it has no params in another form", () => {
    for (
      const message of [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }, {
        jsonrpc: "2.0",
        id: 1,
        method: "ping"
      }]
    ) {
      for (const params of [null, [], undefined]) {
        expect(Messages.read(JSON.stringify({ ...message, params })).messages).toEqual([message])
      }
      expect(Messages.read(JSON.stringify({ ...message, params: [1] })).messages).toEqual([])
    }
  })

  it("[C9] is a response also as some servers write it", () => {
    const read = (value: object) => Messages.read(JSON.stringify(value))
    expect(read([response, response]).messages).toEqual([response, response])
    expect(read({ ...response, error: null }).messages).toEqual([response])
    expect(read({ id: 7, result: response.result }).messages).toEqual([response])
    expect(read({ ...response, id: null }).messages).toEqual([{ jsonrpc: "2.0", result: response.result }])
    expect(read({ ...response, id: 1.5 }).messages).toEqual([])
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
  })

  it("[X1:unit C9] may be nested more deeply than can be written again, beside a message too", () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
    const pong = { jsonrpc: "2.0", id: 1, result: {} }
    const { isJson, messages, unread } = Messages.read(`[${deep},${JSON.stringify(pong)}]`)
    expect([isJson, messages, unread.length]).toEqual([true, [pong], 1])
  })

  it("[X1:unit C9] with too many values, or too many messages, is not read, and names its request wherever the id stands", () => {
    const many = `[${"{},".repeat(200_000)}{}]`
    for (
      const large of [
        `{"jsonrpc":"2.0","id":7,"result":{"a":${many}}}`,
        `{"result":{"a":${many}},"id":7,"jsonrpc":"2.0"}`,
        `{"result":{"a":${many},"text":"${"x".repeat(2_000_000)}"},"jsonrpc":"2.0","id":7}`
      ]
    ) {
      const { messages, unread: [only, ...more] } = Messages.read(large)
      expect([messages, more]).toEqual([[], []])
      expect(only).toMatchObject({ id: 7, hasMethod: false, isOfProtocol: true, why: "has more than 300000 values" })
      expect(only?.text.length).toBeLessThanOrEqual(1_000_000)
    }
    const { messages, unread } = Messages.read(JSON.stringify(Array.from({ length: 101 }, () => response)))
    expect([messages, unread.length]).toEqual([[], 1])
  })

  it("[C9] names its request where it cannot be read", () => {
    const unread = (one: string) => Messages.read(one).unread.find(({ isOfProtocol }) => isOfProtocol)
    expect(unread(text.replace("[{", "NaN,[{"))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(text.slice(0, -3))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(`note ${text.slice(0, -3)}`)).toBeUndefined()
    expect(unread(JSON.stringify({ jsonrpc: "2.0", id: 7 }))).toMatchObject({ id: 7, hasMethod: false })
    expect(unread(JSON.stringify({ jsonrpc: "2.0", id: 7, method: "ping", params: 5 }))).toMatchObject({
      id: 7,
      hasMethod: true
    })
    expect(unread("out of memory")).toBeUndefined()
  })
})
