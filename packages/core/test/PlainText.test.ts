import { PlainText } from "@mcp-lifeline/core/text"
import { assert, describe, it } from "vitest"

const esc = "\u001B"
const controls = /[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069\u200E\u200F]/u

describe("text of others", () => {
  it.each([
    [`a${esc}[31mred${esc}[0mb`, "aredb"],
    [`a${esc}]0;title\u0007b`, "ab"],
    [`a${esc}]8;;https://x.example${esc}\\link${esc}]8;;${esc}\\b`, "alinkb"],
    [`a\u009B31mb\u009D0;title\u009Cc`, "abc"],
    [`a${esc}(Bb${esc}=c${esc}7d`, "abcd"],
    [`a${esc}`, "a"],
    [`a${esc}[`, "a"],
    [`a${esc}[1;2`, "a"],
    [`a${esc}]0;no end`, "a0;no end"],
    [`a${esc}]0;broken\nb`, "a0;broken b"],
    ["a\r\n\tb\u0085c", "a b c"],
    ["a\u202Eb\u2066c\uFEFFd", "a b c d"],
    ["  ünïcödé 👩 \u2028 x ", "ünïcödé 👩 x"]
  ])("[X3] %j is %j in a line", (text, line) => {
    assert.strictEqual(PlainText.line(text), line)
  })

  it("[X3] in lines, the lines and tabs stay, and what joins letters and emoji", () => {
    assert.strictEqual(
      PlainText.lines(`a${esc}[2J\r\n\tb\u0000\u009B1mc\u202E\u200E👩\u200D👧`),
      "a\n\tbc👩\u200D👧"
    )
  })

  it("[X3] in lines of our own, colours stay, and no other sequence", () => {
    const text = `${esc}[31mred${esc}[39m${esc}[2J${esc}]0;t\u0007${esc}${esc}[\u0007 ${esc}[1;31`
    assert.strictEqual(PlainText.coloured(text), `${esc}[31mred${esc}[39m `)
  })

  it("[X3] JSON has the same value, and nothing in it that controls a terminal", () => {
    const value = { "\u009B2J": `${esc}[2J\u202E\u{E0001}\u2028\u007F` }
    const text = PlainText.json(value, 2)
    assert.deepStrictEqual(JSON.parse(text), value)
    assert.match(text, /^[\x20-\x7E\n]*$/)
    assert.strictEqual(PlainText.json(undefined), "null")
  })

  it("[X3] whatever the text is, no control character is left", () => {
    const units = [
      esc,
      "[",
      "]",
      "P",
      "\\",
      "\u0007",
      "\u009B",
      "\u009C",
      "\u009D",
      ";",
      "1",
      "m",
      "a",
      " ",
      "\n",
      "\u202E"
    ]
    let seed = 1
    const next = () => (seed = (seed * 48_271) % 2_147_483_647)
    for (let run = 0; run < 3000; run++) {
      const text = Array.from({ length: next() % 12 }, () => units[next() % units.length]).join("")
      for (const shown of [PlainText.line(text), PlainText.lines(text)]) {
        assert.notMatch(shown, controls, JSON.stringify(text))
      }
      // oxlint-disable-next-line no-control-regex
      const coloured = PlainText.coloured(text).replaceAll(/\u001B\[[0-9;]*m/g, "")
      assert.notMatch(coloured, controls, JSON.stringify(text))
    }
  })

  it("[X1:unit] text is cut with a mark, and not within a character", () => {
    assert.strictEqual(PlainText.cut("abc", 3), "abc")
    assert.strictEqual(PlainText.cut("abcd", 3), "abc… [cut: 4 characters]")
    assert.strictEqual(PlainText.cut("ab👩", 3), "ab… [cut: 4 characters]")
  })
})
