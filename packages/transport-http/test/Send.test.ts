import { assert, describe, it } from "vitest"
import { Dispatch } from "../src/Dispatch.js"
import type { Ask } from "../src/Send.js"
import { byDispatcher, byFetch } from "../src/Send.js"

const url = new URL("http://server.test/mcp")
const { signal } = new AbortController()

interface Asked {
  readonly headers: Record<string, string>
  readonly dispatcher: { readonly name?: string; readonly dispatch: (options: object, handler: object) => boolean }
}

const ask = async (more: Partial<Ask>, handler: object = {}) => {
  const seen: Array<Asked> = []
  const named = (name: string) => ({ name, dispatch: () => true })
  const request = (_: URL, asked: Asked) => {
    seen.push(asked)
    asked.dispatcher.dispatch({}, handler)
    return Promise.resolve({ statusCode: 200, headers: {}, body: undefined })
  }
  const send = byDispatcher({ request } as never, { calls: named("calls"), prompt: named("prompt") } as never)
  await send({ method: "POST", url, headers: {}, ...more }, { "x-mine": "1" }, signal)
  return seen[0]!
}

describe("what is sent", () => {
  it("[H4:unit] goes by the way for calls, or by that for what waits behind none", async () => {
    assert.strictEqual((await ask({})).dispatcher.name, "calls")
    assert.strictEqual((await ask({ prompt: false })).dispatcher.name, "calls")
    assert.strictEqual((await ask({ prompt: true })).dispatcher.name, "prompt")
  })

  it("[T3:unit] asks for a stream as it is, and for an answer compressed", async () => {
    assert.deepStrictEqual((await ask({ method: "GET" })).headers, { "accept-encoding": "identity", "x-mine": "1" })
    assert.strictEqual((await ask({})).headers["accept-encoding"], "gzip, deflate, br")
  })

  for (const name of ["onConnect", "onRequestStart"] as const) {
    it(`[C19:unit] is reported by ${name} when it has a socket, and not written where it was withdrawn`, async () => {
      const happened: Array<unknown> = []
      const handler: Record<string, (...given: ReadonlyArray<unknown>) => void> = {
        [name]: (...given) => happened.push(given)
      }
      const abort = (error: Error) => happened.push(error.message)
      const first = name === "onConnect" ? abort : { abort }
      const dispatch = new Dispatch()
      const asked = ask({ dispatch }, handler)
      assert.isFalse(dispatch.isDone)
      handler[name]!(first, "more")
      assert.isTrue(dispatch.isDone)
      assert.deepStrictEqual(happened.splice(0), [[first, "more"]])
      await asked
      const withdrawn = new Dispatch()
      const other = { [name]: () => happened.push("written") } as typeof handler
      const late = ask({ dispatch: withdrawn }, other)
      assert.isTrue(withdrawn.withdraw())
      other[name]!(first)
      assert.deepStrictEqual(happened, ["the request was withdrawn"])
      await late
    })
  }

  it("[C19:unit] counts as sent where the handler of a dispatcher cannot report", async () => {
    const dispatch = new Dispatch()
    const asked = ask({ dispatch }, {})
    assert.isTrue(dispatch.isDone)
    await asked
  })

  it("[T3:unit] gives the head and the body of the answer, and sends what is to be sent", async () => {
    const bodies: Array<unknown> = []
    const answered = { statusCode: 202, headers: { a: "1" }, body: "as it came" }
    const request = (_: URL, { body }: { readonly body: unknown }) => {
      bodies.push(body)
      return Promise.resolve(answered)
    }
    const send = byDispatcher({ request } as never, { calls: {}, prompt: {} } as never)
    const answer = await send({ method: "POST", url, headers: {}, body: "{}" }, {}, signal)
    assert.deepStrictEqual(answer as unknown, { status: 202, headers: { a: "1" }, body: "as it came" })
    await send({ method: "GET", url, headers: {} }, {}, signal)
    assert.deepStrictEqual(bodies, ["{}", null])
  })

  it("[C19:unit] a fetch is not given what was withdrawn; what it was given may have left", async () => {
    let fetched = 0
    const send = byFetch(() => {
      fetched++
      return Promise.resolve(new Response("there"))
    })
    const withdrawn = new Dispatch()
    assert.isTrue(withdrawn.withdraw())
    const error = await send({ method: "POST", url, headers: {}, dispatch: withdrawn }, {}, signal)
      .catch((cause: unknown) => cause)
    assert.instanceOf(error, Error)
    assert.strictEqual(fetched, 0)
    const dispatch = new Dispatch()
    await send({ method: "POST", url, headers: {}, dispatch }, {}, signal)
    assert.deepStrictEqual([fetched, dispatch.isDone, dispatch.withdraw()], [1, true, false])
  })

  it("[T2:unit] the rest of a fetch's answer that nobody wants is not read", async () => {
    let cancelled = 0
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(1000)),
      cancel: () => {
        cancelled++
      }
    })
    const send = byFetch(() => Promise.resolve(new Response(endless)))
    const { body } = await send({ method: "GET", url, headers: {} }, {}, signal)
    await body.dump({ limit: 100 })
    await new Promise((resolve) => body.once("close", resolve))
    assert.strictEqual(cancelled, 1)
  })

  it("[T3:unit] an answer of a fetch without a body is empty", async () => {
    const send = byFetch(() => Promise.resolve(new Response(null, { status: 202 })))
    const { body, status } = await send({ method: "POST", url, headers: {} }, {}, signal)
    const chunks: Array<unknown> = []
    for await (const chunk of body) chunks.push(chunk)
    assert.deepStrictEqual([status, chunks], [202, []])
  })
})
