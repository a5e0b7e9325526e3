import { Array, Effect, Redacted, TestClock, TestContext } from "effect"
import { describe, expect, it } from "vitest"
import { allDerived, type ClusterKeys } from "../../src/ClusterKey.js"
import * as RequestProof from "../../src/hop/RequestProof.js"
import { merged } from "../../src/postgres/KeyPrints.js"
import * as Seal from "../../src/Seal.js"
import * as KeyChange from "../../src/state/KeyChange.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"

const keyOf = (letter: string) => Redacted.make(letter.repeat(40))
const having = (letters: string): ClusterKeys => Array.map(letters.split("") as [string, ...Array<string>], keyOf)

const request = { method: "GET", target: "/", headers: {} }
const proofOf = (letters: string): RequestProof.Proof =>
  RequestProof.sign(allDerived(having(letters), "info"), request, {
    to: "a",
    time: 1,
    nonce: RequestProof.newNonce(),
    digest: RequestProof.digestOf(Buffer.alloc(0))
  })

const pairs = [
  ["n", "n", true],
  ["no", "o", true],
  ["no", "n", true],
  ["no", "on", true],
  ["n", "o", false],
  ["no", "xy", false]
] as const

describe("the keys of a cluster while they change", () => {
  it.each(pairs)("[G26 D8] replicas with %s and %s understand each other: %s", (one, other, isUnderstood) => {
    for (const [asking, asked] of [[one, other], [other, one]] as const) {
      const [sent, expected] = [proofOf(asking), allDerived(having(asked), "info")]
      const answer = RequestProof.signAnswer(expected, sent, "true")
      const mine = allDerived(having(asking), "info")
      expect(RequestProof.isAnswer(mine, sent, "true", answer)).toBe(isUnderstood)
      expect(RequestProof.isAnswer(mine, sent, "false", answer)).toBe(false)
      expect(RequestProof.isAnswer(mine, { ...sent, nonce: "other" }, "true", answer)).toBe(false)
      expect(RequestProof.isAnswer(mine, { ...sent, to: "other" }, "true", answer)).toBe(false)
      expect(RequestProof.isAnswer(mine, sent, "true", sent.signatures)).toBe(false)
      expect(RequestProof.isOf(expected, request, sent)).toBe(isUnderstood)
      expect(RequestProof.isOf(expected, { ...request, target: "/other" }, sent)).toBe(false)
      const sealed = Seal.make(having(asking)).seal("grants", "a", "secret")
      expect(Seal.make(having(asked)).open("grants", "a", sealed)).toBe(isUnderstood ? "secret" : undefined)
      expect(Seal.make(having(asked)).open("grants", "b", sealed)).toBeUndefined()
    }
  })

  it("[G26 D8] one key is the same in a list of one and alone, as earlier versions have it", () => {
    expect(allDerived(having("a"), "info")).toEqual(allDerived(keyOf("a"), "info"))
    expect(Seal.make(having("a")).seal("grants", "a", "secret")).not.toContain(".")
  })

  it("[D8] an empty header, and a long list of guesses, lets nobody in", () => {
    const right = proofOf("no")
    for (const signatures of ["", ".", `${"x.".repeat(10)}${right.signatures}`]) {
      const isOf = RequestProof.isOf(allDerived(having("no"), "info"), request, { ...right, signatures })
      expect([signatures, isOf]).toEqual([signatures, false])
    }
  })

  it.each(
    [
      // Own keys, those of the cluster, and what it has then.
      ["o", "o", "o"],
      ["no", "o", "no"],
      ["on", "o", "on"],
      ["no", "on", "no"],
      ["n", "no", "no"],
      // An older replica starts again: nothing is taken away.
      ["o", "no", "no"],
      ["no", "xno", "xno"],
      ["n", "o", ""],
      ["x", "no", ""]
    ] as const
  )("[G26 D1] a replica with %s comes to a cluster with %s, which then lets in %s", (own, known, next) => {
    expect(merged(own.split(""), known.split(""))?.join("") ?? "").toBe(next)
  })

  it("[G26 D7] everything is sealed anew, with the age that it had, and nothing that was sealed with foreign keys", () =>
    Effect.gen(function*() {
      const store = MemoryStore.make()
      const asked: Array<string> = []
      const prints = (isBehind: boolean) => ({
        begin: Effect.sync(() => {
          asked.push("begin")
          return isBehind
        }),
        end: Effect.sync(() => void asked.push("end"))
      })
      const put = (letters: string, collection: string, key: string) => {
        const text = Seal.make(having(letters)).seal(collection, key, `${collection}/${key}`)
        return store.rows.change({ collection, key, before: undefined, text })
      }
      yield* put("o", "sessions", "first")
      for (let number = 0; number < 450; number++) yield* put(number % 2 === 0 ? "o" : "no", "sessions", `s${number}`)
      yield* put("x", "sessions", "foreign")
      yield* put("o", "grants", "login")
      yield* TestClock.adjust("1 hour")
      const run = (letters: string, isBehind = false) =>
        KeyChange.complete({ store, prints: prints(isBehind), key: having(letters), followed: ["grants"] })
      const readable = (letters: string) =>
        Effect.map(
          store.rows.after(undefined, 1000),
          (rows) =>
            rows.filter(({ collection, key, text }) =>
              Seal.make(having(letters)).open(collection, key, text) === `${collection}/${key}`
            ).length
        )

      expect(yield* run("no", true)).toBe(0)
      expect(asked.splice(0)).toEqual(["begin"])
      const { changes } = yield* store.renew("nobody", [])
      expect(yield* run("no")).toBe(1 + 225 + 1)
      expect(asked).toEqual(["begin", "end"])
      // Who keeps logins in memory reads them again.
      expect((yield* store.renew("nobody", [])).changes).toBe(changes + 1)
      expect([yield* readable("n"), yield* readable("o")]).toEqual([452, 452])
      expect(yield* run("no")).toBe(0)
      // Who has taken the old key away leaves nothing behind that it opens.
      expect(yield* run("n")).toBe(452)
      expect([yield* readable("n"), yield* readable("o"), yield* readable("x")]).toEqual([452, 0, 1])
      // None was used by that.
      yield* store.rows.prune("sessions", { maxRows: 1000, maxUnused: 60_000 })
      expect(yield* store.rows.entries("sessions")).toEqual([])
    }).pipe(Effect.provide(TestContext.TestContext), Effect.runPromise))
})
