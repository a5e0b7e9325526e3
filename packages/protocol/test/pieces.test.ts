import { assert, describe, it } from "@effect/vitest"
import { Pieces } from "@mcp-lifeline/protocol"

const block = 16 * 1024

const memory = (pieces: Pieces): number => {
  const kept = new Set(pieces.all.map(({ buffer }) => buffer))
  return Array.from(kept).reduce((sum, { byteLength }) => sum + byteLength, 0)
}

describe("bytes that arrive in pieces", () => {
  it("[X5] small ones take the memory of their bytes, and no buffer each", () => {
    const pieces = new Pieces()
    for (let n = 0; n < 100_000; n++) pieces.push(Buffer.alloc(1, n % 256))
    assert.isAtMost(pieces.all.length, 2 + 100_000 / block)
    assert.isAtMost(memory(pieces), 100_000 + 2 * block)
    assert.deepStrictEqual(pieces.take(), Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 256)))
  })

  it("[X5] nor do small ones between large ones", () => {
    const pieces = new Pieces()
    for (let n = 0; n < 200; n++) {
      pieces.push(Buffer.alloc(1))
      pieces.push(Buffer.alloc(4096))
    }
    assert.isAtMost(memory(pieces), pieces.length + 2 * block)
  })

  it("[X5] are the same bytes when they are taken, whatever their sizes, and then nothing is kept", () => {
    const sizes = [1, 4095, 4096, 5000, block - 1, block, block + 1, 70_000, 0, 3]
    for (const first of sizes) {
      for (const step of [1, 3, 7]) {
        const pieces = new Pieces()
        const given = [first, ...sizes.map((_, index) => sizes[(index * step) % sizes.length]!)]
          .map((size, index) => Buffer.alloc(size, index + 1))
        for (const one of given) pieces.push(one)
        const whole = Buffer.concat(given)
        assert.strictEqual(pieces.length, whole.length)
        assert.isTrue(Buffer.concat(pieces.all).equals(whole))
        assert.isTrue(pieces.take().equals(whole))
        assert.deepStrictEqual([pieces.length, pieces.all], [0, []])
        pieces.push(Buffer.from("next"))
        assert.strictEqual(pieces.take().toString(), "next")
      }
    }
  })

  it("[X5] one is taken as it came", () => {
    const pieces = new Pieces()
    const one = Buffer.from("one")
    pieces.push(one)
    assert.strictEqual(pieces.take(), one)
    assert.strictEqual(pieces.take().length, 0)
  })
})
