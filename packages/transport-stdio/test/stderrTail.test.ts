import { assert, describe, it } from "vitest"
import { StderrTail } from "../src/StderrTail.js"

describe("the tail of stderr", () => {
  const tailOf = (...chunks: ReadonlyArray<string | Buffer>) => {
    const seen: Array<string> = []
    const tail = new StderrTail([], (line) => seen.push(line))
    for (const chunk of chunks) tail.push(Buffer.from(chunk))
    return { seen, tail }
  }

  it("[S3:unit] keeps the last 20 lines in their order, hands on all, and skips empty ones", () => {
    const lines = Array.from({ length: 21 }, (_, index) => `line ${index}`)
    const { seen, tail } = tailOf("\n \n", lines.slice(0, 20).join("\n\n"), "\n")
    assert.strictEqual(tail.text, lines.slice(0, 20).join(" | "))
    tail.push(Buffer.from("line 20\r\n"))
    assert.strictEqual(tail.text, lines.slice(1).join(" | "))
    assert.deepStrictEqual(seen, lines)
  })

  it("[S3:unit] keeps 4,096 characters of several lines, and one line whatever is before it", () => {
    const [a, b, c] = ["a".repeat(2_048), "b".repeat(2_048), "c"]
    const { tail } = tailOf(`${a}\n${b}\n`)
    assert.strictEqual(tail.text, `${a} | ${b}`)
    tail.push(Buffer.from(`${c}\n`))
    assert.strictEqual(tail.text, `${b} | ${c}`)
    tail.push(Buffer.from(`${"d".repeat(2_047)}\n`))
    assert.strictEqual(tail.text, `${b} | ${c} | ${"d".repeat(2_047)}`)
    tail.push(Buffer.from(`${"e".repeat(4_096)}\n`))
    assert.strictEqual(tail.text, "e".repeat(4_096))
  })

  it("[S3:unit] shows a line that has only begun, which is handed on once it has ended", () => {
    const thread = Buffer.from("🧵 done")
    const { seen, tail } = tailOf("one\ntwo ", thread.subarray(0, 2), thread.subarray(2))
    assert.strictEqual(tail.text, "one | two 🧵 done")
    assert.deepStrictEqual(seen, ["one"])
    tail.end()
    assert.strictEqual(tail.text, "one | two 🧵 done")
    tail.end()
    assert.deepStrictEqual(seen, ["one", "two 🧵 done"])
  })

  it("[S3:unit] a line keeps what it is indented by, and not the spaces at its end", () => {
    assert.deepStrictEqual(tailOf("  at main \r\n").seen, ["  at main"])
  })

  it("[S3:unit] after a line that was too long the next is whole again", () => {
    const { seen, tail } = tailOf("x".repeat(5_000), "\n", "short\n")
    assert.lengthOf(seen[0]!, 4_096)
    assert.strictEqual(seen[1], "short")
    tail.push(Buffer.from("begun"))
    assert.isTrue(tail.text.endsWith("short | begun"))
  })

  it("[C10:unit] no part of a secret is in the tail, however long it is, wherever a line is cut, and whatever divides it", () => {
    const long = Array.from({ length: 600 }, (_, index) => `secret-${index}`).join("/")
    const short = "hush-hush-hush"
    const tailOf = (text: string): string => {
      const seen: Array<string> = []
      const tail = new StderrTail([long, short], (line) => seen.push(line))
      for (let at = 0; at < text.length; at += 1_000) tail.push(Buffer.from(text.slice(at, at + 1_000)))
      const begun = tail.text
      tail.end()
      assert.deepStrictEqual(seen, [tail.text])
      assert.isAtMost(tail.text.length, 4_096)
      for (const shown of [begun, tail.text]) assert.notMatch(shown, /secret-|hus/)
      return tail.text
    }
    assert.strictEqual(tailOf(`key=${long}.`), "key=***.")
    assert.strictEqual(tailOf(`key=\u001B[31mhush-\u001B[1mhush\u0000-hush\u001B[0m.`), "key=***.")
    for (const before of [4_080, 4_090, 4_095, 4_096, 8_000, 9_000, 10_900]) {
      tailOf(`${"x".repeat(before)}${short}${"y".repeat(100)}`)
      tailOf(`${"x".repeat(before)}${long}${"y".repeat(9_000)}`)
      tailOf(`${long.repeat(3)}${"x".repeat(before)}${short}`)
    }
    // A whole line that ends as a secret begins has none of it.
    const whole = new StderrTail([short], undefined)
    whole.push(Buffer.from("lush hush-h\n"))
    assert.strictEqual(whole.text, "lush hush-h")
    const tail = new StderrTail([long, short], undefined)
    tail.push(Buffer.from("first\nkey=hush-hu"))
    assert.strictEqual(tail.text, "first | key=***")
  })

  it("[W5:unit] a line that is cut says how much is left out, and one that fits is whole", () => {
    const seen: Array<string> = []
    const tail = new StderrTail([], (line) => seen.push(line))
    for (const length of [4_096, 4_097, 70_000]) tail.push(Buffer.from(`${"x".repeat(length)}\n`))
    assert.strictEqual(seen[0], "x".repeat(4_096))
    assert.match(seen[1]!, /^x{4000,}… \(1 more characters\)$/)
    assert.match(seen[2]!, /^x{4000,}… \(65904 more characters\)$/)
    for (const line of seen) assert.strictEqual(line.length, 4_096)
    tail.push(Buffer.from("z".repeat(5_000)))
    assert.match(tail.text, /… \(904 more characters\)$/)
  })

  it("[X3] the tail has no character that controls a terminal, nor have the lines that are handed on", () => {
    const seen: Array<string> = []
    const tail = new StderrTail([], (line) => seen.push(line))
    tail.push(Buffer.from("\u001B]0;title\u0007a\u009B2Jb\u0085\u202Ec\t\u001B[31md\u001B[0m\n\u009D0;x"))
    tail.end()
    assert.deepStrictEqual(seen, ["abc\td", "0;x"])
    assert.strictEqual(tail.text, "abc\td | 0;x")
  })
})
