import { assert, describe, it } from "@effect/vitest"
import { isNotSent, typeOf } from "../../../../tools/soak/outcome.mjs"
import { Calls, grown, leftFiles, together, told, unclosed } from "../../../../tools/soak/verdict.mjs"

const once = new Map([["serve/one.0#1", 1], ["serve/two.0#1", 1]])

const well = () => {
  const calls = new Calls()
  for (const key of once.keys()) {
    calls.asked("serve", key, true)
    calls.answered(key, key)
  }
  return calls
}

const broken = (calls: Calls, effects: ReadonlyMap<string, number> = once) =>
  calls.violations(effects).map(({ door, promise }) => [door, promise])

describe("the ledger of a soak: calls", () => {
  it("[B3:real] says nothing where all is well, errors, messages and clients that go away included", () => {
    const calls = well()
    calls.received("serve", "serve/one.0", "progress", "serve/one.0#1")
    calls.received("serve", "serve/one.0", "progress", "files is reconnecting")
    calls.asked("serve", "serve/one.0#2", true)
    calls.failed("serve/one.0#2", "-32000 (unknown)", "lost")
    calls.asked("serve", "serve/two.0#2", true)
    calls.clientGone("serve/two.0")
    assert.deepStrictEqual(calls.violations(new Map([...once, ["serve/one.0#2", 1], ["serve/two.0#3", 1]])), [])
    assert.deepStrictEqual(calls.open, [])
    assert.deepStrictEqual(calls.counts, { calls: 4, answered: 2, failed: 1, gone: 1 })
    assert.deepStrictEqual(calls.messages, { progress: 1, "progress of Lifeline": 1 })
  })

  it("[B3:real] reports an effect that happened twice, was answered and missing, or was asked for by nobody", () => {
    const [one, two] = [...once.keys()] as [string, string]
    assert.deepStrictEqual(broken(well(), new Map([[one, 2], [two, 1]])), [["serve", "twice"]])
    assert.deepStrictEqual(broken(well(), new Map([[one, 1]])), [["serve", "twice"]])
    assert.deepStrictEqual(broken(well(), new Map([...once, ["serve/three.0#1", 1]])), [["", "twice"]])
    const calls = well()
    calls.clientGone("serve/three.0")
    assert.deepStrictEqual(broken(calls, new Map([...once, ["serve/three.0#1", 2]])), [["", "twice"]])
  })

  it("[B3:real] reports an effect of a call whose error says that it was not sent", () => {
    const calls = well()
    calls.asked("serve", "serve/one.0#2", true)
    calls.failed("serve/one.0#2", "-32000 (notSent)", "no connection", true)
    assert.deepStrictEqual(broken(calls), [])
    assert.deepStrictEqual(broken(calls, new Map([...once, ["serve/one.0#2", 1]])), [["serve", "notSent"]])
    const errors = [{ data: { fate: "notSent" } }, { _tag: "BackendUnavailable" }, { data: { fate: "unknown" } }, {}]
    assert.deepStrictEqual(errors.map(isNotSent), [true, true, false, false])
  })

  it("[B3:real] reports a message or an answer that was another client's", () => {
    const calls = well()
    calls.received("serve", "serve/one.0", "log message", "serve/two.0#1")
    assert.deepStrictEqual(broken(calls), [["serve", "crossed"]])
    const others = well()
    others.asked("serve", "serve/one.0#2", false)
    others.answered("serve/one.0#2", "serve/two.0#1")
    assert.deepStrictEqual(broken(others), [["serve", "crossed"]])
  })

  it("[B3:real] reports a call that does not end, ends twice, or fails without a typed error", () => {
    const open = well()
    open.asked("serve", "serve/one.0#2", false)
    assert.deepStrictEqual(broken(open), [["serve", "ended"]])
    const again = well()
    again.answered("serve/one.0#1", "serve/one.0#1")
    assert.deepStrictEqual(broken(again), [["serve", "ended"]])
    const untyped = well()
    untyped.asked("serve", "serve/one.0#2", false)
    untyped.failed("serve/one.0#2", null, "something is wrong")
    assert.deepStrictEqual(broken(untyped), [["serve", "ended"]])
  })
})

describe("the ledger of a soak: what is left", () => {
  it("[B3:real] reports a lost close, and a close too many; a session whose end the network lost is excused", () => {
    const sessions = (opened: number, closed: number, excused = 0) =>
      unclosed("wrap", [{ what: "sessions", opened, closed, excused }]).length
    const verdicts = [0, 1, 0, 1, 1]
    assert.deepStrictEqual(
      [sessions(3, 3), sessions(3, 2), sessions(3, 2, 1), sessions(3, 1, 1), sessions(3, 4)],
      verdicts
    )
  })

  it("[B3:real] reports handles that stay, except those of more children, and a heap that grows", () => {
    const held = (resources: Record<string, number>, megabytes = 50) => ({ heap: megabytes * 2 ** 20, resources })
    const before = held({ descriptors: 20, TCPSocketWrap: 3, ProcessWrap: 1, PipeWrap: 3 })
    const after = (more: Record<string, number>, megabytes?: number, processes?: number) =>
      grown("serve", "it", before, held({ ...before.resources, ...more }, megabytes), processes).length
    assert.strictEqual(after({}), 0)
    assert.strictEqual(after({ descriptors: 22 }), 0)
    assert.strictEqual(after({ descriptors: 30, TCPSocketWrap: 9 }), 2)
    assert.strictEqual(after({ descriptors: 26, ProcessWrap: 3, PipeWrap: 9 }), 0)
    assert.strictEqual(after({}, 55), 0)
    assert.strictEqual(after({}, 65), 1)
    assert.strictEqual(after({}, 65, 3), 0)
    const { heap, resources } = together([before, before])
    assert.deepStrictEqual([heap, resources["descriptors"]], [100 * 2 ** 20, 40])
  })

  it("[B3:real] tells the door and the promise, and not all of many", () => {
    const files = Array.from({ length: 25 }, (_, i) => `file ${i}`)
    const lines = told(leftFiles("connect", files))
    assert.strictEqual(lines[0], "connect: not kept: no file is left")
    assert.strictEqual(lines.at(-1), "  and 5 more")
    assert.lengthOf(lines, 22)
  })
})

describe("the type of an error", () => {
  const call = { speech: "v1", isCancelled: false, isLate: false, replicas: false } as const

  it("[B3:real] is the facade's tag, or the code of JSON-RPC with what became of the call", () => {
    assert.strictEqual(typeOf({ _tag: "ResultUnknown" }, { ...call, speech: "facade" }), "ResultUnknown")
    assert.strictEqual(typeOf({ code: -32000, data: { fate: "unknown" } }, call), "-32000 (unknown)")
    assert.strictEqual(typeOf({ code: "REQUEST_TIMEOUT" }, { ...call, speech: "v2" }), "REQUEST_TIMEOUT")
    assert.strictEqual(typeOf({ name: "AbortError" }, { ...call, isCancelled: true }), "cancelled by its caller")
  })

  it("[B3:real] is missing of what a program cannot act on, of a call that hung, and of a network that no fault has touched", () => {
    const reset = new TypeError("fetch failed", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) })
    assert.isUndefined(typeOf(new Error("it did not work"), { ...call, speech: "facade" }))
    assert.isUndefined(typeOf({ _tag: "Unheard" }, { ...call, speech: "facade" }))
    assert.isUndefined(typeOf({ name: "AbortError" }, call))
    assert.isUndefined(typeOf({ code: -32001 }, { ...call, isLate: true }))
    assert.isUndefined(typeOf(reset, call))
    assert.strictEqual(typeOf(reset, { ...call, replicas: true }), "network: ECONNRESET")
  })
})
