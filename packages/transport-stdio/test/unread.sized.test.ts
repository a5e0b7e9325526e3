/** What a process had not read when it ended: the kernel says it, so the real kernel is asked. */
import type { Connection, RequestError } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { Effect, Either, Fiber } from "effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { afterEach } from "vitest"
import { bySize } from "../../testing/test/support/bySize.js"
import * as Processes from "../../testing/test/support/Processes.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Pause from "./Pause.js"
import { call, connect, eventually, lossOf, pidOf, serverOf, temporary } from "./support.js"
import { closeAll, gate, make, start, until } from "./transport.js"

const isLinux = process.platform === "linux"

const warm = (faults: StdioFaultServer.Options = {}, era: "2025" | "2026" = "2025") =>
  Effect.gen(function*() {
    const journal = join(yield* temporary, "journal")
    const connection = yield* connect(serverOf(era)({ journal, ...faults }, { stdinGrace: 0, termGrace: 0 }))
    for (let nth = 0; nth < 5; nth++) yield* call(connection, "echo")
    return { connection, journal, pid: pidOf(connection) }
  })

const kill = (pid: number): void => void process.kill(pid, "SIGKILL")

const counting = (connection: Connection, keys: ReadonlyArray<string>) =>
  Effect.forEach(keys, (key) => Effect.fork(Effect.either(call(connection, "count", { key })))).pipe(
    Effect.zipLeft(Effect.yieldNow())
  )

type Ends = Effect.Effect.Success<ReturnType<typeof counting>>

const fates = (ends: Ends) => Effect.map(Effect.forEach(ends, Fiber.join), (all) => all.map(fateOf))

const fateOf = (end: Either.Either<string, RequestError>): string => Either.isLeft(end) ? end.left.fate : "done"

const keys = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, nth) => `k${nth}`)

describe.runIf(isLinux)("what a process had not read when it ended", () => {
  for (const era of ["2025", "2026"] as const) {
    test.scopedLive(`[V7:real] ${era}: of 20 calls in the tick of a kill, all are notSent, and none was carried out`, function*() {
      const { connection, journal, pid } = yield* warm({}, era)
      kill(pid)
      const ends = yield* counting(connection, keys(20))
      assert.deepStrictEqual(yield* fates(ends), keys(20).map(() => "notSent"))
      assert.strictEqual(StdioFaultServer.count(journal, "apply"), 0)
    })

    test.scopedLive(`[V7:real] ${era}: behind a call that blocks it, which it has read, each is notSent`, function*() {
      const { connection, journal, pid } = yield* warm({}, era)
      const blocking = yield* Effect.fork(Effect.flip(call(connection, "spin", { millis: 600_000 }, 600_000)))
      yield* eventually(() => StdioFaultServer.count(journal, "spin") === 1)
      const ends = [...yield* counting(connection, ["a"]), ...yield* counting(connection, ["b", "c"])]
      kill(pid)
      assert.deepStrictEqual(yield* fates(ends), ["notSent", "notSent", "notSent"])
      assert.strictEqual((yield* Fiber.join(blocking)).fate, "unknown")
      assert.strictEqual(StdioFaultServer.count(journal, "apply"), 0)
    })
  }

  test.scopedLive("[V7:real] who had read everything may have carried it out: unknown", function*() {
    const { connection, journal, pid } = yield* warm()
    const silent = yield* Effect.fork(Effect.flip(call(connection, "silent")))
    yield* eventually(() => StdioFaultServer.count(journal, "call", "silent") === 1)
    kill(pid)
    assert.strictEqual((yield* Fiber.join(silent)).fate, "unknown")
  })

  test.scopedLive("[V7:real] behind a wrapper that gives its stdin to the server, only the last is known not to be read", function*() {
    const { connection, journal, pid } = yield* warm({ wrapper: true })
    const server = Processes.processes().find(({ parent }) => parent === pid)
    Pause.stop(server!.pid)
    const ends = yield* counting(connection, keys(3))
    kill(server!.pid)
    assert.deepStrictEqual(yield* fates(ends), ["unknown", "unknown", "notSent"])
    assert.strictEqual(StdioFaultServer.count(journal, "apply"), 0)
  })

  test.scopedLive(
    "[V7:real] over generated rounds, what is called notSent was never carried out",
    function*() {
      let proved = 0
      const round = (read: number, sent: number, late: number, turns: number, wrapper: boolean) =>
        Effect.gen(function*() {
          const { connection, journal, pid } = yield* warm({ wrapper })
          const reader = wrapper ? Processes.processes().find(({ parent }) => parent === pid)!.pid : pid
          const lost = yield* Effect.fork(lossOf(connection))
          const names = keys(read + sent + late)
          const ends = [...yield* counting(connection, names.slice(0, read))]
          for (let turn = 0; turn < turns; turn++) yield* Effect.promise(() => new Promise(setImmediate))
          ends.push(...yield* counting(connection, names.slice(read, read + sent)))
          kill(reader)
          ends.push(...yield* counting(connection, names.slice(read + sent)))
          yield* Fiber.join(lost)
          const ended = yield* fates(ends)
          const unsent = names.filter((_, nth) => ended[nth] === "notSent")
          proved += unsent.length
          assert.deepStrictEqual(unsent.filter((key) => StdioFaultServer.count(journal, "apply", key) > 0), [])
        }).pipe(Effect.scoped, Effect.runPromise)
      const some = fc.nat(4)
      yield* Effect.promise(() =>
        fc.assert(fc.asyncProperty(some, some, fc.integer({ min: 1, max: 8 }), fc.nat(30), fc.boolean(), round), {
          numRuns: bySize(4, 60)
        })
      )
      assert.isAbove(proved, 0)
    },
    300_000
  )
})

describe.runIf(isLinux)("the stdin of a process", () => {
  afterEach(closeAll)

  const ids = [1, 2, 3]

  it("[V7:real] one that closes it, and has read one of three lines, has not read the last: its loss says so", async () => {
    const opened = gate()
    const { losses, lost, send, transport } = make(`read a; ${opened.wait}; exec <&-; exec sleep 100`)
    const failed: Array<readonly [unknown, string, boolean | undefined, number]> = []
    transport.onfailed = (id, { fate, partlySent }) => failed.push([id, fate, partlySent, losses.length])
    await transport.start()
    for (const id of ids) void send({ id, method: "ping" })
    opened.open()
    await lost
    // Nobody knows how much of it.
    assert.deepStrictEqual(failed, [[3, "notSent", true, 0]])
  })

  it("[V7:real] what was answered, given up or taken back ends with nothing of this", async () => {
    const { lost, messages, send, transport } = make(
      `read a; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; exec sleep 100`
    )
    const failed: Array<unknown> = []
    transport.onfailed = (id) => failed.push(id)
    const child = await start(transport)
    void send({ id: 1, method: "ping" })
    await until(() => messages.length === 1)
    void send({ id: 2, method: "ping" })
    assert.isFalse(transport.withdraw(2))
    kill(child.pid!)
    await lost
    assert.deepStrictEqual(failed, [])
  })

  it("[V7:real] what it writes there is thrown away, as much as it likes, and it is answered as before", async () => {
    const opened = gate()
    const flood = "head -c 1000000 /dev/zero >&0 & "
    const { lost, losses, messages, send, transport } = make(`${flood} ${opened.wait}; exec cat`)
    const child = await start(transport)
    opened.open()
    void send({ id: 1, method: "ping" })
    await until(() => messages.length === 1)
    assert.deepStrictEqual(losses, [])
    kill(child.pid!)
    await lost
  })
})
