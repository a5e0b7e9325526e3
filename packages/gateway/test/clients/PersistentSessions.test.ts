import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder as path } from "../../../testing/test/support/folder.js"
import * as PersistentSessions from "../../src/clients/PersistentSessions.js"
import * as SecretFile from "../../src/files/SecretFile.js"
import { clusterKeys } from "../../src/replica/clusterKeys.js"
import { describe, expect, test } from "../support/vitest.js"

const key = "k".repeat(32)

const inUse = (given: Partial<PersistentSessions.KeyOptions>, folder: string) =>
  PersistentSessions.sessionKeys({ secret: undefined, file: undefined, ...given }, StateFolder.make(folder))

const given = (given: Partial<PersistentSessions.KeyOptions>, folder: string) =>
  Effect.map(inUse(given, folder), ({ current }) => current()[0])

const text = (secret: Redacted.Redacted) => Redacted.value(secret)

const refusal = (given: Effect.Effect<Redacted.Redacted, { readonly message: string }>) =>
  Effect.map(Effect.flip(given), ({ message }) => message)

describe("the key that seals the ids of sessions", () => {
  test.scoped("[G10] is that of the variable, without the spaces around it, of at least 32 characters", function*() {
    const folder = yield* path
    const of = (secret: string) => given({ secret: Redacted.make(secret) }, folder)
    expect(text(yield* of(` ${key}\n`))).toBe(key)
    const refused = (why: string) => `MCP_LIFELINE_SESSION_KEY: ${why}; make one with: openssl rand -base64 32`
    for (const short of [key.slice(1), `${key.slice(1)}   `]) {
      expect(yield* refusal(of(short))).toBe(refused("has less than 32 characters"))
    }
    expect(yield* refusal(of(""))).toBe(refused("contains no session key"))
  })

  test.scopedLive("[G10] is that of a file, where one is named, also beside the variable", function*() {
    const folder = yield* path
    const file = join(folder, "key")
    const of = given({ file, secret: Redacted.make("v".repeat(32)) }, folder)
    expect(yield* refusal(of)).toMatch(/^--session-key-file .*key cannot be read: .*ENOENT|no such file/)
    writeFileSync(file, `${key}\n`)
    expect(text(yield* of)).toBe(key)
    writeFileSync(file, "short\n")
    expect(yield* refusal(of)).toMatch(/^--session-key-file .*key: has less than 32 characters/)
    writeFileSync(file, `${key}\nshort\n`)
    expect(yield* refusal(of)).toMatch(/^--session-key-file .*key: line 2 has less than 32 characters/)
    writeFileSync(file, `${key}\n`.repeat(6))
    expect(yield* refusal(of)).toMatch(/: contains more than 5 lines, and each is a session key; /)
  })

  test.scopedLive("[G26] may be two: the first seals, each opens; a cluster has one", function*() {
    const folder = yield* path
    const other = "o".repeat(32)
    const keys = yield* inUse({ secret: Redacted.make(` ${other}\n\n${key}\n`) }, folder)
    const state = StateFolder.make(folder)
    const sealed = (keys: SecretFile.SecretsInUse) =>
      Effect.provideService(PersistentSessions.make(keys), StateFolder.StateFolder, state)
    const of = (key: string) => sealed(SecretFile.fixed([Redacted.make(key)]))
    const [{ seal: both }, { seal: old }, { seal: fresh }] = [yield* sealed(keys), yield* of(key), yield* of(other)]
    const claims = { version: "2025-11-25", lists: [], owner: "", born: 1 }
    expect(both.open(old.seal(claims))).toEqual(claims)
    expect(fresh.open(both.seal(claims))).toEqual(claims)
    expect(old.open(both.seal(claims))).toBeUndefined()
    expect((yield* clusterKeys(undefined, [Redacted.make(key)])).map(Redacted.value)).toEqual([key])
    const two = yield* Effect.flip(clusterKeys(undefined, keys.current()))
    expect(two.message).toMatch(/^--cluster needs one session key/)
  })

  test.scopedLive("[G10] is made once for a state folder, whoever comes first, and differs between two", function*() {
    const [folder, other] = [yield* path, yield* path]
    const keys = yield* Effect.all(Array.from({ length: 4 }, () => given({}, folder)), { concurrency: "unbounded" })
    const [first] = keys.map(text)
    expect(first?.length).toBeGreaterThanOrEqual(32)
    expect(new Set(keys.map(text))).toEqual(new Set([first]))
    expect(text(yield* given({}, folder))).toBe(first)
    expect(text(yield* given({}, other))).not.toBe(first)
  })

  test.scopedLive("[G10] opens what another process has sealed with it, and finds what that has kept", function*() {
    const place = yield* path
    const folder = StateFolder.make(place)
    const made = Effect.flatMap(inUse({}, place), (keys) => PersistentSessions.make(keys))
    const make = Effect.provideService(made, StateFolder.StateFolder, folder)
    const [one, two] = [yield* make, yield* make]
    const id = one.seal.seal({ version: "2025-11-25", lists: [], owner: "", born: 1 })
    expect(two.seal.open(id)).toMatchObject({ born: 1 })
    const kept = { usedAt: Date.now(), level: "error" }
    yield* Effect.promise(() => one.records.set(id, kept))
    expect(yield* Effect.promise(() => two.records.get(id))).toEqual(kept)
  })
})
