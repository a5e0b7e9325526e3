import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Diff from "../../src/adopt/Diff.js"
import * as Secrets from "../../src/adopt/Secrets.js"
import * as Json from "../../src/document/Json.js"
import { syntax } from "../../src/document/Yaml.js"

describe("the difference that is shown", () => {
  it("[W7] has the lines that change, with two around them", () => {
    const before = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
    const after = ["a", "b", "c", "d", "E", "e2", "f", "g", "h", "i"]
    const shown = ["@@ -3 +3 @@", " c", " d", "-e", "+E", "+e2", " f", " g"]
    expect(Diff.lines(before.join("\n"), after.join("\n"))).toEqual(shown)
  })

  it("[W7] leads from one text to the other", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 })
    fc.assert(fc.property(text, text, (before, after) => {
      const lines = Diff.lines(before.join("\n"), after.join("\n")).filter((line) => !line.startsWith("@@"))
      const removed = lines.filter((line) => line.startsWith("-")).map((line) => line.slice(1))
      const added = lines.filter((line) => line.startsWith("+")).map((line) => line.slice(1))
      const rest = (all: ReadonlyArray<string>, taken: ReadonlyArray<string>) => {
        const left = [...all]
        for (const line of taken) left.splice(left.indexOf(line), 1)
        return left.toSorted()
      }
      const [a, b] = [before.join("\n").split("\n"), after.join("\n").split("\n")]
      expect(rest(a, removed)).toEqual(rest(b, added))
    }))
  })

  it("[W7, X1] says only that much differs, where finding the shortest difference would take long", () => {
    const text = (word: string): string => Array.from({ length: 20_000 }, (_, line) => `${word} ${line}`).join("\n")
    expect(Diff.lines(text("before"), text("after"))).toEqual(["@@ more than 1000 lines differ @@"])
    expect(Diff.lines(text("before"), `${text("before")}\nmore`)).toContain("+more")
  })

  it("[W7] has no values of headers, variables and secret options", () => {
    const plain = ["--port", "80808080", "--header", "X-Key:${X_KEY_VALUE}"]
    const args = ["--api-key", "key-12345", "-e", "TOKEN=tok-45678", ...plain]
    const servers = {
      a: { command: "x", args, env: { A: 'env-"7890', B: "${REFERENCE}" } },
      b: { url: "https://b.example?token=url-12345", headers: { Authorization: "Bearer abc-0000" } }
    }
    const hidden = ["key-12345", "tok-45678", 'env-"7890', "url-12345", "abc-0000"]
    const shown = ["80808080", "${REFERENCE}", "${X_KEY_VALUE}"]
    const text = JSON.stringify({ mcpServers: servers, elsewhere: [...hidden, ...shown] })
    expect(JSON.parse(Secrets.hide(text, Json.syntax, [["mcpServers"]]))).toEqual({
      mcpServers: {
        a: {
          command: "x",
          args: ["--api-key", "***", "-e", "TOKEN=***", ...plain],
          env: { A: "***", B: "${REFERENCE}" }
        },
        b: { url: "https://b.example?token=***", headers: { Authorization: "***" } }
      },
      elsewhere: [...hidden.map(() => "***"), ...shown]
    })
  })

  it("[W7] a hidden value has as many lines as before, and keeps its quotes", () => {
    const env = ["NONE: null", "A: short", "B: |", "  one", "  two", 'C: "quoted" # said', "D: ${REFERENCE}"]
    const entry = ["mcpServers:", "  a:", "    command: x", "    args: [--token, t0k, --port, '80']", "    env:"]
    const yaml = [...entry, ...env.map((line) => `      ${line}`)].join("\n")
    const hidden = Secrets.hide(yaml, syntax, [["mcpServers"]])
    expect(hidden).not.toMatch(/short|one|two|quoted|t0k/)
    expect(hidden).toContain("args: [--token, ***, --port, '80']")
    expect(hidden).toContain("NONE: null")
    expect(hidden).toContain('C: "***" # said')
    expect(hidden).toContain("D: ${REFERENCE}")
    expect(hidden.split("\n")).toHaveLength(yaml.split("\n").length)
    expect(Secrets.hide("", syntax, [["mcpServers"]])).toBe("")
  })
})
