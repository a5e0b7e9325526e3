import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as LiveGroups from "../src/LiveGroups.js"

const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const

describe("the groups that are alive", () => {
  const { kill } = process
  const sent: Array<unknown> = []
  const made: Array<LiveGroups.LiveGroup> = []
  const limits: Array<number> = []
  const exitsBefore: Array<unknown> = []
  /** Those who listen beside us: they would end the tests, and their presence keeps the process alive. */
  const others = new Map<typeof signals[number], ReadonlyArray<NodeJS.SignalsListener>>()

  const exits = () => process.listeners("exit").filter((one) => !exitsBefore.includes(one))
  const hooks = () => signals.map((name) => process.listenerCount(name))
  const raise = (name: typeof signals[number]): void => {
    for (const listener of process.listeners(name)) listener(name)
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  const make = (handleSignals: boolean) => {
    const happened: Array<string> = []
    let settle: { readonly resolve: () => void; readonly reject: (error: Error) => void } = {
      resolve: () => {},
      reject: () => {}
    }
    const group: LiveGroups.LiveGroup = {
      handleSignals,
      kill: (until) => {
        happened.push("kill")
        limits.push(until)
      },
      shutdown: () => {
        happened.push("shutdown")
        return new Promise((resolve, reject) => {
          settle = { resolve, reject }
        })
      }
    }
    made.push(group)
    LiveGroups.add(group)
    const ends = () => {
      LiveGroups.remove(group)
      settle.resolve()
      return turn()
    }
    const fails = () => {
      settle.reject(new Error("it survives"))
      return turn()
    }
    return { group, happened, ends, fails }
  }

  beforeEach(() => {
    exitsBefore.push(...process.listeners("exit"))
    for (const name of signals) {
      others.set(name, process.listeners(name))
      process.removeAllListeners(name)
    }
    process.kill = (...one) => {
      sent.push(one)
      return true
    }
  })
  afterEach(() => {
    for (const group of made.splice(0)) LiveGroups.remove(group)
    process.kill = kill
    for (const name of signals) {
      process.removeAllListeners(name)
      for (const one of others.get(name) ?? []) process.on(name, one)
    }
    sent.length = 0
    exitsBefore.length = 0
    limits.length = 0
  })

  it("[S8:unit] the hooks are there while there are groups that need them, once", () => {
    const plain = make(false)
    assert.lengthOf(exits(), 1)
    assert.deepStrictEqual(hooks(), [0, 0, 0, 0])
    const first = make(true)
    const second = make(true)
    assert.lengthOf(exits(), 1)
    assert.deepStrictEqual(hooks(), [1, 1, 1, 1])
    LiveGroups.remove(first.group)
    assert.deepStrictEqual(hooks(), [1, 1, 1, 1])
    LiveGroups.remove(second.group)
    assert.deepStrictEqual(hooks(), [0, 0, 0, 0])
    assert.lengthOf(exits(), 1)
    LiveGroups.remove(plain.group)
    assert.lengthOf(exits(), 0)
  })

  it("[S8:unit] at the exit of this process every group is killed, and none that is gone", () => {
    const [one, gone, other] = [make(false), make(true), make(true)]
    LiveGroups.remove(gone.group)
    for (const listener of exits()) listener(0)
    assert.deepStrictEqual([one.happened, gone.happened, other.happened], [["kill"], [], ["kill"]])
  })

  it("[S8:unit] at the exit of this process all groups together have five seconds to be removed", () => {
    const before = performance.now()
    for (const _ of [1, 2, 3]) make(false)
    for (const listener of exits()) listener(0)
    const after = performance.now()
    assert.lengthOf(limits, 3)
    assert.lengthOf([...new Set(limits)], 1)
    assert.isTrue(limits[0]! >= before + 5000 && limits[0]! <= after + 5000)
  })

  for (const name of signals) {
    it(`[S8:unit] ${name} ends the groups that ask for it, and then this process, as it would have done at once`, async () => {
      const [plain, first, second] = [make(false), make(true), make(true)]
      raise(name)
      assert.deepStrictEqual([plain.happened, first.happened, second.happened], [[], ["shutdown"], ["shutdown"]])
      await first.ends()
      assert.deepStrictEqual(sent, [])
      await second.ends()
      assert.deepStrictEqual(sent, [[process.pid, name]])
      assert.deepStrictEqual(hooks(), [0, 0, 0, 0])
      assert.deepStrictEqual(plain.happened, [])
    })
  }

  it("[S8:unit] [S10:unit] Windows, where no program can send these, ends this process as it does by default", async () => {
    const { exit, platform } = process
    const codes: Array<unknown> = []
    Object.defineProperty(process, "platform", { value: "win32" })
    process.exit = ((code: unknown) => void codes.push(code)) as typeof process.exit
    try {
      const one = make(true)
      raise("SIGBREAK")
      await one.ends()
      assert.deepStrictEqual([codes, sent], [[0xC000013A], []])
    } finally {
      process.exit = exit
      Object.defineProperty(process, "platform", { value: platform })
    }
  })

  it("[S8:unit] a second signal kills what asks for it, and does not wait", async () => {
    const [plain, one] = [make(false), make(true)]
    raise("SIGINT")
    raise("SIGINT")
    assert.deepStrictEqual([plain.happened, one.happened], [[], ["shutdown", "kill"]])
    await one.ends()
    assert.deepStrictEqual(sent, [[process.pid, "SIGINT"]])
  })

  it("[S8:unit] where somebody else listens to the signal this process lives on, and a later signal is handled as the first", async () => {
    let heard = 0
    process.on("SIGTERM", () => heard++)
    const one = make(true)
    raise("SIGTERM")
    await one.ends()
    assert.deepStrictEqual([heard, sent], [1, []])
    const next = make(true)
    assert.deepStrictEqual(next.happened, [])
    raise("SIGTERM")
    assert.deepStrictEqual(next.happened, ["shutdown"])
    await next.ends()
    assert.deepStrictEqual([heard, sent], [2, []])
  })

  it("[S8:unit] a server that is brought back while this process ends is killed at once", async () => {
    const one = make(true)
    raise("SIGTERM")
    const [back, plain] = [make(true), make(false)]
    assert.deepStrictEqual([back.happened, plain.happened], [["kill"], []])
    LiveGroups.remove(back.group)
    await one.ends()
    assert.deepStrictEqual(sent, [[process.pid, "SIGTERM"]])
  })

  it("[S8:unit] what survives its shutdown is killed once more before this process ends, and what does not ask for signals is left to the exit", async () => {
    const [plain, one] = [make(false), make(true)]
    raise("SIGHUP")
    await one.fails()
    assert.deepStrictEqual([plain.happened, one.happened], [[], ["shutdown", "kill"]])
    assert.deepStrictEqual(sent, [[process.pid, "SIGHUP"]])
  })

  it("[S8:unit] the hooks for signals stay until the last group has ended, so that a second signal is heard", async () => {
    const one = make(true)
    raise("SIGTERM")
    LiveGroups.remove(one.group)
    assert.deepStrictEqual(hooks(), [1, 1, 1, 1])
    await one.ends()
    assert.deepStrictEqual(hooks(), [0, 0, 0, 0])
  })
})
