import { Bytes } from "@mcp-lifeline/core/text"
import { Cause, Effect, Exit, Fiber } from "effect"
import { PassThrough, Readable } from "node:stream"
import * as Zlib from "node:zlib"
import { afterEach, assert, describe, it, vi } from "vitest"
import type { Answer } from "../src/Answer.js"
import { content, discard, header, mediaType, someText, text } from "../src/Answer.js"

/** Fakes timers, and gives those of an answer that are pending: other files of the process may have left some. */
const watchTimers = (): ReadonlySet<unknown> => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  const pending = new Set<unknown>()
  const { clearTimeout, setTimeout } = globalThis
  vi.stubGlobal("setTimeout", (act: () => void, millis: number) => {
    const timer = setTimeout(() => {
      pending.delete(timer)
      act()
    }, millis)
    if (millis === 800) pending.add(timer)
    return timer
  })
  vi.stubGlobal("clearTimeout", (timer: NodeJS.Timeout) => {
    pending.delete(timer)
    clearTimeout(timer)
  })
  return pending
}

const answerOf = (readable: Readable, headers: Answer["headers"] = {}) => {
  const dumped: Array<number> = []
  const body = Object.assign(readable, {
    dump: ({ limit }: { readonly limit: number }): Promise<unknown> => {
      dumped.push(limit)
      readable.destroy()
      return Promise.reject(new Error("dump"))
    }
  })
  return { answer: { status: 200, headers, body } satisfies Answer, dumped }
}

const encoded = (coding: string | ReadonlyArray<string>, ...chunks: ReadonlyArray<Buffer>) =>
  answerOf(Readable.from(chunks), { "content-encoding": coding })

const failureOf = async (effect: Effect.Effect<unknown, unknown>): Promise<unknown> => {
  const exit = await Effect.runPromiseExit(effect)
  return Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : Cause.empty
}

const detailOf = async (effect: Effect.Effect<unknown, unknown>): Promise<string> => {
  const failure = await failureOf(effect)
  assert.deepInclude(failure, { _tag: "AnswerFailure" })
  return String((failure as { readonly detail?: unknown }).detail)
}

const said = "what the server says ".repeat(100)
const codings: ReadonlyArray<readonly [string, Buffer]> = [
  ["gzip", Zlib.gzipSync(said)],
  ["X-GZIP", Zlib.gzipSync(said)],
  ["deflate", Zlib.deflateSync(said)],
  ["identity, deflate", Zlib.deflateRawSync(said)],
  [" br ", Zlib.brotliCompressSync(said)]
]

describe("an answer", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })

  it("[T3:unit] has the first of each header, and its media type without parameters", () => {
    const { answer } = answerOf(new PassThrough(), {
      a: ["1", "2"],
      b: "3",
      "content-type": "Text/HTML ; charset=x\ny"
    })
    assert.deepStrictEqual(["a", "b", "c"].map((name) => header(answer, name)), ["1", "3", undefined])
    assert.strictEqual(mediaType(answer), "text/html")
    assert.strictEqual(mediaType(answerOf(new PassThrough()).answer), "")
  })

  it("[T2:unit] that is dropped is read up to a bound, and its failures are nobody's", async () => {
    const { answer, dumped } = answerOf(new PassThrough())
    discard(answer.body)
    answer.body.emit("error", new Error("cut"))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepStrictEqual(dumped, [65_536])
  })

  for (const [coding, bytes] of codings) {
    it(`[T13:unit] encoded with "${coding}" is decompressed as it comes, in pieces and cut short, too`, async () => {
      const bytewise = [...bytes].map((byte) => Buffer.of(byte))
      for (const chunks of [[bytes], bytewise]) {
        assert.strictEqual(await Effect.runPromise(text(encoded(coding, ...chunks).answer, Bytes(10_000))), said)
      }
      const body = new PassThrough()
      const readable = await Effect.runPromise(content(answerOf(body, { "content-encoding": coding }).answer))
      const first = new Promise((resolve) => readable.once("data", resolve))
      body.write(bytes)
      assert.include(said, String(await first))
      readable.destroy()
      await new Promise((resolve) => setImmediate(resolve))
      assert.isTrue(body.destroyed)
      const half = await Effect.runPromise(
        text(encoded(coding, bytes.subarray(0, bytes.length - 2)).answer, Bytes(10_000))
      )
      assert.isTrue(said.startsWith(half))
    })
  }

  it("[T13:unit] that is not compressed as it says is the server's fault; nothing at all is an empty text", async () => {
    for (const coding of ["gzip", "deflate", "br"]) {
      const garbage = Buffer.from("\xffgarbage that nothing understands".repeat(10), "latin1")
      assert.include(await detailOf(text(encoded(coding, garbage).answer, Bytes(10_000))), "content-encoding")
      assert.strictEqual(await Effect.runPromise(text(encoded(coding).answer, Bytes(10_000))), "")
    }
  })

  it("[T12:unit] in a coding that nobody asked for, or in two, is dropped", async () => {
    for (const coding of ["zstd", "gzip, gzip", "constructor", "gzip, zstd"]) {
      const { answer, dumped } = encoded(coding, Buffer.from("x"))
      const unknown = coding === "gzip, zstd" ? "zstd" : coding
      assert.include(await detailOf(content(answer)), `encoded with ${unknown};`)
      assert.lengthOf(dumped, 1)
      assert.strictEqual(await Effect.runPromise(someText(encoded(coding, Buffer.from("x")).answer, 100)), "")
    }
    for (const coding of ["", "identity", "Identity,"]) {
      const { answer } = encoded(coding, Buffer.from("x"))
      assert.strictEqual(await Effect.runPromise(content(answer)), answer.body)
    }
  })

  it("[T12:unit] of the longest size is read whole; one byte more is refused, and nothing more is read", async () => {
    const pieces = [Buffer.from("12345"), Buffer.from("67890")]
    assert.strictEqual(await Effect.runPromise(text(answerOf(Readable.from(pieces)).answer, Bytes(10))), "1234567890")
    const { answer } = answerOf(Readable.from([...pieces, Buffer.from("more")]))
    assert.include(await detailOf(text(answer, Bytes(9))), "9 bytes (maxMessageBytes)")
    assert.isTrue(answer.body.destroyed)
  })

  it("[T3:unit] that is cut fails with the cause, and also where there is none", async () => {
    const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" })
    const cut = answerOf(new PassThrough()).answer
    const pending = failureOf(text(cut, Bytes(10)))
    cut.body.destroy(reset)
    assert.deepInclude(await pending, { _tag: "NetworkFailure", cause: reset })
    const closed = answerOf(new PassThrough()).answer
    const other = failureOf(text(closed, Bytes(10)))
    closed.body.destroy()
    assert.deepInclude(await other, { _tag: "NetworkFailure" })
  })

  it("[T2:unit] that nobody waits for any more is closed, with its timer", async () => {
    for (const read of [text, someText]) {
      const pending = watchTimers()
      const { answer } = answerOf(new PassThrough())
      const fiber = Effect.runFork(Effect.asVoid<unknown, unknown, never>(read(answer, Bytes(10))))
      await new Promise((resolve) => setImmediate(resolve))
      assert.isFalse(answer.body.destroyed)
      assert.strictEqual(pending.size, read === someText ? 1 : 0)
      await Effect.runPromise(Fiber.interrupt(fiber))
      assert.isTrue(answer.body.destroyed)
      assert.strictEqual(pending.size, 0)
      vi.unstubAllGlobals()
      vi.useRealTimers()
    }
  })

  it("[T3:unit] that refuses says so much of why as comes in time, up to a bound", async () => {
    const pending = watchTimers()
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const ends: ReadonlyArray<readonly [string, (body: Readable) => void, boolean]> = [
      ["end", (body) => body.push(null), true],
      ["error", (body) => body.destroy(new Error("cut")), true],
      ["close", (body) => body.destroy(), true],
      ["bound", (body) => body.push(" and much more"), true],
      ["silence", () => vi.advanceTimersByTime(800), true],
      ["little silence", () => vi.advanceTimersByTime(799), false]
    ]
    for (const [what, end, isOver] of ends) {
      const body = new PassThrough()
      let result: string | undefined
      const fiber = Effect.runFork(someText(answerOf(body).answer, 10))
      fiber.addObserver((exit) => {
        result = Exit.isSuccess(exit) ? exit.value : "failed"
      })
      body.push(Buffer.from([0x6E, 0xC3]))
      body.push(Buffer.from([0xB6]))
      await turn()
      await turn()
      assert.isUndefined(result, what)
      end(body)
      await turn()
      await turn()
      const expected = what === "bound" ? "nö and much more" : "nö"
      assert.strictEqual(result, isOver ? expected : undefined, what)
      if (!isOver) continue
      assert.strictEqual(pending.size, 0, what)
      if (what !== "end") assert.isTrue(body.destroyed, what)
    }
  })
})
