import { spawnSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { shellWord } from "../../src/text/shellWord.js"

const hostile = [
  ...["", "a b", "it's", 'say "hi" & calc.exe', '{"command":"a","args":["x & calc | more > y"]}', "%PATH% %"],
  ...["$(calc) `calc` $HOME", "\u201D; calc; \u201C", "line\nnext\u0000", "C:\\my folder\\", "^!|<>();,@{}"]
]

describe("a word of a command line that people are told to run", () => {
  it.skipIf(process.platform === "win32")("[X3:unit] is one word to a shell, and the text that it was", () => {
    for (const text of hostile.filter((one) => !one.includes("\u0000"))) {
      const { stdout } = spawnSync("/bin/sh", ["-c", `printf %s. ${shellWord(text, "linux")}`], { encoding: "utf8" })
      expect(stdout).toBe(`${text}.`)
    }
  })

  it("[X3:unit] holds nothing on Windows that cmd or PowerShell reads between double quotes, and says where that is left out", () => {
    for (const text of hostile) {
      const word = shellWord(text, "win32")
      expect(word).toMatch(/^"[^"$`\p{Cc}\u201C-\u201E]*"$/u)
      expect(word).not.toMatch(/%.*%/)
      // No backslash takes the quote at the end for the text.
      expect((/\\*(?="$)/.exec(word)?.[0].length ?? 0) % 2).toBe(0)
    }
    expect(shellWord('a" & calc & "b', "win32")).toBe('"a? & calc & ?b"')
    expect(shellWord("C:\\my folder\\50%\\", "win32")).toBe('"C:\\my folder\\50%\\\\"')
    for (const plain of ["C:\\a\\mcp.json", "mcp-lifeline@1.0.0", "--only"]) {
      expect(shellWord(plain, "win32")).toBe(plain)
    }
  })
})
