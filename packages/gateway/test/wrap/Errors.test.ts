import { Effect } from "effect"
import { fault } from "../../src/conversation/errors.js"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

describe("wrap and the errors of its server", () => {
  test.scopedLive("[X1] the error of a list is passed on as it is, whatever the server says became of the request", function*() {
    const error = { code: -32_000, message: "the disk is full", data: { tag: "BackendUnavailable", fate: "notSent" } }
    let isBroken = false
    const host = yield* Wrapped.make(({ id, method }, send) => {
      if (method !== "tools/list" || !isBroken) return undefined
      send({ jsonrpc: "2.0", id, error })
      return undefined
    })
    yield* Effect.promise(host.initialize)
    const list = (id: number) => Effect.promise(() => host.request(id, "tools/list"))
    expect(yield* list(1)).toMatchObject({ result: { tools: [] } })
    isBroken = true
    expect((yield* list(2)).error).toEqual(error)
  })

  test.scopedLive("[X1] one request that breaks is answered with an error, and the next one as ever", function*() {
    let breaks = false
    const isLoginNeeded = () => {
      if (breaks) throw new Error("a secret")
      return false
    }
    const host = yield* Wrapped.make(({ method }) => method === "tools/call" ? { content: [] } : undefined, {
      bridge: { isLoginNeeded }
    })
    yield* Effect.promise(host.initialize)
    const call = (id: number) => Effect.promise(() => host.request(id, "tools/call", { name: "any" }))
    breaks = true
    expect((yield* call(1)).error).toEqual(fault)
    breaks = false
    expect(yield* call(2)).toMatchObject({ result: { content: [] } })
  })

  test.scopedLive("[X1] initialize is answered with an error where what it begins breaks", function*() {
    const host = yield* Wrapped.make(() => undefined, { bridge: { loadCache: () => Effect.die("a secret") } })
    expect((yield* Effect.promise(host.initialize)).error).toEqual(fault)
  })

  test.scopedLive("[X1] an answer that cannot be written is answered with an error, and the next request is answered", function*() {
    const host = yield* Wrapped.make(({ method, params }) =>
      // No wire would have carried it.
      method === "tools/call"
        ? { content: [], ...(params.name === "odd" ? { structuredContent: { n: 1n } } : {}) }
        : undefined
    )
    yield* Effect.promise(host.initialize)
    const call = (id: number, name: string) => Effect.promise(() => host.request(id, "tools/call", { name }))
    expect((yield* call(1, "odd")).error).toEqual({
      code: -32_603,
      message: "The answer to this request contains something that JSON cannot hold"
    })
    expect(yield* call(2, "even")).toMatchObject({ result: { content: [] } })
  })
})
