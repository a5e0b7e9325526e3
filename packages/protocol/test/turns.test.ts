import { describe, expect, it } from "vitest"
import * as Turns from "../src/Turns.js"

const long = 1024 * 1024

describe("long work", () => {
  it("[X1:unit] has a turn of its own, after others have had theirs, and what comes behind it waits", async () => {
    const seen: Array<string> = []
    const turns = new Turns.Turns()
    turns.run(1, () => seen.push("short"))
    turns.run(long, () => {
      seen.push("long")
      turns.run(1, () => seen.push("of its own"))
      setImmediate(() => seen.push("another's"))
    })
    turns.run(1, () => seen.push("behind"))
    turns.run(0, () => seen.push("behind, too"))
    const over = new Promise<void>((resolve) => {
      turns.run(long, () => "result", (result) => {
        seen.push(result)
        resolve()
      })
    }).then(() => seen.push("the last"))
    turns.run(1, () => seen.push("behind the last"))
    setImmediate(() => seen.push("before"))
    expect(seen).toEqual(["short"])
    await over
    expect(seen).toEqual([
      "short",
      "before",
      "long",
      "behind",
      "behind, too",
      "another's",
      "result",
      "behind the last",
      "of its own",
      "the last"
    ])
    const stream = { pause: () => seen.push("pause"), resume: () => seen.push("resume") }
    turns.hold(stream as never)
    await new Promise<void>((resolve) => {
      Turns.run(long, () => setImmediate(() => seen.push("between")))
      Turns.run(long, () => resolve(void seen.push("another long one")))
    })
    expect(seen.slice(-2)).toEqual(["between", "another long one"])
    turns.run(1, () => "at once", (result) => seen.push(result))
    expect(seen.at(-1)).toBe("at once")
    turns.run(long, () => seen.push("long"))
    turns.hold(stream as never)
    await new Promise<void>((resolve) => turns.run(0, resolve))
    expect(seen.slice(-4)).toEqual(["at once", "pause", "long", "resume"])
    await new Promise<void>((resolve) => {
      turns.run(long, () => {
        turns.run(0, () => resolve(void seen.push("what it begins")))
        seen.push("the only one")
      })
    })
    expect(seen.slice(-2)).toEqual(["the only one", "what it begins"])
  })
})
