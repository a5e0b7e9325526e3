import { Bytes } from "@mcp-lifeline/core/text"
import { assert, describe, it } from "vitest"
import { type Frame, Framing } from "../src/Framing.js"

type Line = Extract<Frame, { readonly _tag: "Line" }>

describe("Framing", () => {
  const frames = (bytes: Buffer, size: number, max: number) => {
    const framing = new Framing(Bytes(max), Bytes(1000))
    const result: Array<unknown> = []
    for (let at = 0; at < bytes.length; at += size) {
      framing.push(bytes.subarray(at, at + size), (frame) => result.push(frame))
    }
    return result
  }

  it("[S4] gives the same frames however the bytes are cut", () => {
    const long = { jsonrpc: "2.0", result: { id: "no", text: 'ü"\\}{'.repeat(40) }, id: 'ä"7' }
    const bytes = Buffer.from(`{"a":"é"}\r\n\n${JSON.stringify(long)}\n${"x".repeat(100)}\n${"y".repeat(101)}\nend\n`)
    const whole = frames(bytes, bytes.length, 100)
    assert.deepStrictEqual(whole, [
      { _tag: "Line", text: '{"a":"é"}\r' },
      { _tag: "Line", text: "" },
      { _tag: "TooLong", id: 'ä"7', isResponse: true },
      { _tag: "Line", text: "x".repeat(100) },
      { _tag: "TooLong", id: undefined, isResponse: true },
      { _tag: "Line", text: "end" }
    ])
    for (let size = 1; size < 120; size++) assert.deepStrictEqual(frames(bytes, size, 100), whole)
  })

  it("[S4] gives each of several short lines, whether or not they came in one chunk that ends with them", () => {
    const lines = ['{"a":"é"}', "", " ", "x".repeat(100), '{"b":"🧵"}']
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""))
    const whole = lines.map((text) => ({ _tag: "Line", text }))
    for (let size = 1; size <= bytes.length; size++) assert.deepStrictEqual(frames(bytes, size, 150), whole)
  })

  it("[S4] a byte order mark at the start of a line is none of it, however the bytes are cut", () => {
    const bytes = Buffer.from(`\uFEFF{"a":"\uFEFF"}\n{}\n\uFEFF\r\n \uFEFF\n\uFEFFend\n`)
    const whole = [`{"a":"\uFEFF"}`, "{}", "\r", " \uFEFF", "end"].map((text) => ({ _tag: "Line", text }))
    for (let size = 1; size <= bytes.length; size++) assert.deepStrictEqual(frames(bytes, size, 100), whole)
  })

  it("[S4:unit] a line is without end once it is longer than any message, kept or not, until it ends", () => {
    for (const max of [10, 10_000]) {
      const framing = new Framing(Bytes(max), Bytes(1_000))
      const seen: Array<unknown> = []
      const push = (text: string) => framing.push(Buffer.from(text), (frame) => seen.push(frame))
      push("x".repeat(600))
      push("x".repeat(400))
      assert.isFalse(framing.isEndless)
      push("x")
      assert.isTrue(framing.isEndless)
      push("\n")
      assert.isFalse(framing.isEndless)
      const text = "x".repeat(1_001)
      assert.deepStrictEqual(seen, [
        max === 10 ? { _tag: "TooLong", id: undefined, isResponse: true } : { _tag: "Line", text }
      ])
    }
  })

  it("[X1:unit] a long line is handed on in a later turn, before what follows it", async () => {
    const framing = new Framing(Bytes(1_000_000), Bytes(1_000_000))
    const seen: Array<number | string> = []
    const take = (text: string) => framing.push(Buffer.from(text), (frame) => seen.push((frame as Line).text.length))
    take(`a\n${"x".repeat(300_000)}`)
    take("\nbb\n")
    take("ccc\n")
    assert.deepStrictEqual(seen, [1])
    await new Promise<void>((resolve) => framing.turns.run(0, () => resolve(void seen.push("after"))))
    assert.deepStrictEqual(seen, [1, 300_000, 2, 3, "after"])
  })

  it("[S6:unit] shows the first 1,024 bytes of a line that has begun, and nothing of one that has ended", () => {
    const framing = new Framing(Bytes(10_000), Bytes(10_000))
    assert.strictEqual(framing.begun, "")
    framing.push(Buffer.from("one\nProceed? "), () => {})
    assert.strictEqual(framing.begun, "Proceed? ")
    framing.push(Buffer.from("\n"), () => {})
    assert.strictEqual(framing.begun, "")
    framing.push(Buffer.from("y".repeat(1_025)), () => {})
    assert.strictEqual(framing.begun, "y".repeat(1_024))
  })

  it("[S4:unit] a request that is too long is known for one, also behind spaces, and the next line is another", () => {
    const framing = new Framing(Bytes(40), Bytes(1_000))
    const seen: Array<unknown> = []
    const push = (text: string) => framing.push(Buffer.from(text), (frame) => seen.push(frame))
    push(`${" ".repeat(50)}`)
    push(`{"id":1,"method":"${"m".repeat(50)}"}\n`)
    push(`{"result":"${"r".repeat(50)}","id":2}\n`)
    push(`${"x".repeat(50)}{"id":3,"method":"m"}\n`)
    push(`{"id":4}\n`)
    assert.deepStrictEqual(seen, [
      { _tag: "TooLong", id: 1, isResponse: false },
      { _tag: "TooLong", id: 2, isResponse: true },
      { _tag: "TooLong", id: undefined, isResponse: true },
      { _tag: "Line", text: '{"id":4}' }
    ])
  })
})
