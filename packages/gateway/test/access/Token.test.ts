import { Effect, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Token from "../../src/access/Token.js"
import { describe, expect, test } from "../support/vitest.js"

const file = (text: string) =>
  Effect.map(folder, (path) => {
    const name = join(path, "token")
    writeFileSync(name, text)
    return name
  })

const given = Redacted.make("given-with-16-characters")

const find = (host: string, options: Partial<Token.Options> = {}) =>
  Effect.map(
    Token.find({ host, token: undefined, tokenFile: undefined, ...options }),
    ({ isNew, value }) => ({ isNew, value: value?.current().map(Redacted.value).join(" ") })
  )

describe("the token of a gateway", () => {
  test.effect("[G6:unit] is made where other machines are let in, and nobody has given one", function*() {
    const { isNew, value } = yield* find("0.0.0.0")
    expect(isNew).toBe(true)
    expect(value).toMatch(/^[\w-]{43}$/)
    expect((yield* find("0.0.0.0")).value).not.toBe(value)
    expect(yield* find("0.0.0.0", { token: given })).toStrictEqual({ isNew: false, value: "given-with-16-characters" })
  })

  test.effect("[G6:unit] is not asked for on loopback, unless one is given", function*() {
    expect(yield* find("127.0.0.1")).toStrictEqual({ isNew: false, value: undefined })
    expect(yield* find("127.0.0.1", { token: given }))
      .toStrictEqual({ isNew: false, value: "given-with-16-characters" })
  })

  test.scopedLive("[G6:unit] in a file counts before one that is given, without the space around it", function*() {
    const tokenFile = yield* file("\n  from!file~of-sixteen \n")
    const expected = { isNew: false, value: "from!file~of-sixteen" }
    expect(yield* find("127.0.0.1", { token: given, tokenFile })).toStrictEqual(expected)
    expect(yield* find("0.0.0.0", { tokenFile })).toStrictEqual(expected)
  })

  test.scopedLive.each(["", " \n", "two words", "über", "tab\tbed", "\u0000"])(
    "[G6:unit] in a file is refused if no header can hold it: %j",
    function*(text) {
      const tokenFile = yield* file(text)
      const { message } = yield* Effect.flip(find("127.0.0.1", { tokenFile }))
      expect(message).toBe(`${tokenFile}: contains no token; write one into it, on one line and without spaces`)
    }
  )

  test.scopedLive("[G6 G22] that somebody could guess is refused, wherever it comes from", function*() {
    const why = "has fewer than 16 characters, so that it could be guessed; make one with: openssl rand -base64 32"
    const short = "x".repeat(15)
    const tokenFile = yield* file(`${"x".repeat(16)}\n${short}\n`)
    expect((yield* Effect.flip(find("127.0.0.1", { tokenFile }))).message).toContain(`${tokenFile}: line 2 ${why}`)
    const token = Redacted.make(short)
    expect(yield* Effect.flip(find("127.0.0.1", { token })))
      .toMatchObject({ _tag: "UsageError", message: `--token or MCP_LIFELINE_TOKEN: ${why}` })
    const { message } = yield* Effect.flip(find("127.0.0.1", { token: Redacted.make("two words of sixteen") }))
    expect(message).toContain("--token or MCP_LIFELINE_TOKEN: is no token; accepted: letters, digits and signs")
  })

  test.scopedLive("[G26] in a file may be several, one on each line; a line that no header can hold is named", function*() {
    const tokenFile = yield* file("new-of-sixteen-or-more\r\n\nold-of-sixteen-or-more\n")
    expect(yield* find("127.0.0.1", { tokenFile }))
      .toStrictEqual({ isNew: false, value: "new-of-sixteen-or-more old-of-sixteen-or-more" })
    writeFileSync(tokenFile, "new-of-sixteen-or-more\n\nto ken\n")
    expect((yield* Effect.flip(find("127.0.0.1", { tokenFile }))).message)
      .toBe(`${tokenFile}: line 3 contains no token; write one into it, on one line and without spaces`)
  })

  test.effect("[G26] is needed on loopback, too, if a proxy in front lets others in", function*() {
    expect(yield* find("127.0.0.1", { isBehindProxy: true })).toMatchObject({ isNew: true })
    expect(yield* find("127.0.0.1", { isBehindProxy: true, token: given })).toMatchObject({ isNew: false })
  })

  test.scopedLive("[G6:unit] in a file that cannot be read ends the start, with the name of the file", function*() {
    const tokenFile = join(yield* folder, "nothing")
    const { cause, message } = yield* Effect.flip(find("127.0.0.1", { tokenFile }))
    expect(message).toMatch(/nothing: cannot read the token: .+; name a readable file with --token-file$/)
    expect(cause).toBeDefined()
  })
})
