import { Effect } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as SignIns from "./support/SignIns.js"

const begin = (folder: string, person: { readonly identity: string } | undefined) =>
  Effect.gen(function*() {
    const { renew, signIn } = yield* SignIns.make(SignIns.network(), folder, { person })
    yield* renew
    return SignIns.addressOf(signIn)
  })

const pending = (folder: string) =>
  Effect.map(
    SignIns.loginsIn(folder).entries,
    (all) => all.map(([, { address, isPersonal }]) => [address, isPersonal === true] as const)
  )

describe("a login of one of several people", () => {
  test.scoped.each(
    [
      ["all", undefined],
      ["the same person", { identity: "anna" }],
      ["another one", { identity: "ben" }]
    ] as const
  )("[A4 G22] is gone on with in no other process: not for %s", function*([, person]) {
    const path = yield* folder
    const first = yield* Effect.scoped(Effect.flatten(begin(path, { identity: "anna" })))
    expect(yield* pending(path)).toEqual([[first, true]])
    const address = yield* begin(path, person)
    // At first it shows what the other process has left.
    yield* SignIns.passing("50 millis", Effect.map(address, (shown) => shown !== first))
    const second = yield* address
    expect(second).toMatch(/^https?:/)
    expect(second).not.toBe(first)
    expect(yield* pending(path)).toEqual([[second, person !== undefined]])
  })
})
