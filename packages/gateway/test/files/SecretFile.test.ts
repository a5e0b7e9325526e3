import { Array, Effect, Logger, Queue, Redacted, String } from "effect"
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Token from "../../src/access/Token.js"
import * as SecretFile from "../../src/files/SecretFile.js"
import { describe, expect, test } from "../support/vitest.js"

const following = Effect.fnUntraced(function*(file: string) {
  const inUse = yield* Token.read(file)
  const lines = yield* Queue.unbounded<string>()
  const warnings = yield* Queue.unbounded<string>()
  const logger = Logger.make(({ message }) => void warnings.unsafeOffer([message].flat().join(" ")))
  yield* Effect.provide(inUse.follow((line) => lines.offer(line)), Logger.replace(Logger.defaultLogger, logger))
  return { current: () => inUse.current().map(Redacted.value), lines, warnings }
})

describe("a secret that is replaced while it is in use", () => {
  test.scopedLive("[G26] says how many there are of whom", function*() {
    const file = join(yield* folder, "token")
    writeFileSync(file, "one")
    const read = Effect.map((text: string) => Array.map(String.split(text, " "), (one) => Redacted.make(one)))
    const all = yield* SecretFile.make(file, "token of bots", (text) => read(Effect.orDie(text)))
    const lines = yield* Queue.unbounded<string>()
    yield* all.follow((line) => lines.offer(line))
    writeFileSync(file, "two three")
    expect(yield* lines.take).toBe(`${file}: read again: 2 tokens of bots`)
  })

  test.scopedLive("[G26] is the new one as soon as its file is saved; what cannot be used changes nothing, and is told", function*() {
    const file = join(yield* folder, "token")
    writeFileSync(file, "old-token-of-sixteen\n")
    const { current, lines, warnings } = yield* following(file)
    expect(current()).toEqual(["old-token-of-sixteen"])
    writeFileSync(file, "new-token-of-sixteen\nold-token-of-sixteen\n")
    expect(yield* lines.take).toBe(`${file}: read again: 2 tokens`)
    expect(current()).toEqual(["new-token-of-sixteen", "old-token-of-sixteen"])
    writeFileSync(file, "not a token\n")
    expect(yield* warnings.take).toContain("contains no token; write one into it")
    expect(current()).toEqual(["new-token-of-sixteen", "old-token-of-sixteen"])
    rmSync(file)
    expect(yield* warnings.take).toBe(
      `${file} is gone. Each token stays as it was, and the file is read when it is back`
    )
    expect(current()).toEqual(["new-token-of-sixteen", "old-token-of-sixteen"])
    writeFileSync(file, "new-token-of-sixteen\n")
    expect(yield* lines.take).toBe(`${file}: read again: 1 token`)
    expect(current()).toEqual(["new-token-of-sixteen"])
  })

  test.scopedLive("[G26] is noticed behind a link that is replaced, as Kubernetes does with a mounted Secret", function*() {
    const path = yield* folder
    for (const [name, text] of [["one", "old-token-of-sixteen\n"], ["two", "new-token-of-sixteen\n"]] as const) {
      writeFileSync(join(path, name), text)
    }
    const [file, link] = [join(path, "token"), join(path, "link")]
    symlinkSync("one", file)
    const { current, lines } = yield* following(file)
    symlinkSync("two", link)
    renameSync(link, file)
    yield* lines.take
    expect(current()).toEqual(["new-token-of-sixteen"])
  })
})
