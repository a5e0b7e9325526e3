import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import type { ServerCache } from "../../src/cache/ServerCache.js"
import { OwnIntroductions } from "../../src/pool/OwnIntroductions.js"
import { caller } from "../support/Callers.js"
import { chatty } from "../support/Talk.js"
import { talking, team } from "../support/Team.js"
import { describe, expect, it, test } from "../support/vitest.js"

const saying = (instructions: string): Introduction => ({
  serverInfo: { name: "s", version: "1" },
  capabilities: {},
  instructions,
  protocolVersion: "2025-11-25",
  sessionId: undefined
})

describe("what a server that each client has for itself says of itself", () => {
  test.scopedLive("[G22:real] is shown to the caller that has it, and to no other, in both eras; what it offers is kept for that caller", function*() {
    const asked: Array<string> = []
    const kept: ServerCache = {
      get: ({ server }: { readonly server: string }) => {
        asked.push(server)
        return Effect.succeedNone
      },
      set: () => Effect.void
    } as never
    const own = { ...chatty("own", { says: "for one alone" }), sessions: "per-client", identity: "i" } as const
    const { url } = yield* team([own, chatty("all", { says: "for all" })], { anna: {}, ben: {} }, {}, { kept })
    const anna = yield* talking(url, "anna-token")
    expect(anna.introduced.instructions).not.toContain("for one alone")
    expect(yield* Effect.promise(() => anna.call("own__pid"))).toMatch(/\d/)
    for (const isStateless of [false, true]) {
      const instructionsFor = (name: string) =>
        Effect.map(talking(url, `${name}-token`, { isStateless }), ({ introduced }) => introduced.instructions)
      expect(yield* instructionsFor("anna")).toContain("for one alone")
      const ofBen = yield* instructionsFor("ben")
      expect([ofBen.includes("for all"), ofBen.includes("for one alone")]).toEqual([true, false])
    }
    const ben = yield* talking(url, "ben-token")
    yield* Effect.promise(() => ben.call("own__pid"))
    expect(new Set(asked).size).toBe(2)
    expect(asked).not.toContain("i")
  })

  it("[G22:unit] is kept for so many callers, as much of it as is shown, and as long as there is the server", () => {
    const all = new OwnIntroductions()
    const numbered = (number: number) => caller(`caller ${number}`)
    all.set(numbered(0), "s", saying(` ${"x".repeat(20_000)}`))
    all.set(numbered(0), "t", saying("t"))
    expect(all.of(numbered(0), "s")?.instructions).toBe("x".repeat(8001))
    const long = { "x-long": { text: "x".repeat(16_000) } }
    const bounded = new OwnIntroductions()
    const cases = [
      { ...saying("large"), capabilities: { experimental: long } },
      { ...saying("large"), serverInfo: { name: "n".repeat(16_000), version: "1" } }
    ]
    for (const large of cases) {
      bounded.set(numbered(0), "s", saying("small"))
      bounded.set(numbered(0), "t", large)
      expect(["s", "t"].map((name) => bounded.of(numbered(0), name)?.instructions)).toEqual(["small", undefined])
      bounded.set(numbered(0), "s", large)
      expect(bounded.of(numbered(0), "s")).toBeUndefined()
    }
    for (let i = 1; i < 1000; i++) all.set(numbered(i), "s", saying("s"))
    all.set(numbered(0), "s", saying("again"))
    all.set(numbered(1000), "s", saying("s"))
    expect([0, 1, 2].map((i) => all.of(numbered(i), "s")?.instructions)).toEqual(["again", undefined, "s"])
    all.keep(new Set(["t"]))
    expect([all.of(numbered(0), "s"), all.of(numbered(0), "t")?.instructions]).toEqual([undefined, "t"])
  })
})
