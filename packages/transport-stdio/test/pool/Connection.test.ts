/**
 * What the processes of one server are together, without a backend around them: times, counts, sums, and what is given back.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  type Connection,
  type ConnectOptions,
  Policy,
  type Report,
  RequestError,
  type RequestOptions,
  Sending
} from "@mcp-lifeline/core"
import { supervisionOf } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Either, Exit, Fiber, Scope, TestClock } from "effect"
import { leases } from "../../../core/test/support/Leases.js"
import { sending } from "../../../testing/test/support/asked.js"
import { taking } from "../../../testing/test/support/taking.js"
import { Announcements } from "../../src/pool/Announcements.js"
import type { Choice } from "../../src/pool/Choice.js"
import * as PooledConnector from "../../src/pool/PooledConnector.js"
import { TaskOwners } from "../../src/pool/TaskOwners.js"

const { defaults } = Policy

interface Sent {
  readonly method: string
  readonly options: RequestOptions
  readonly on: number
}

/** Connects to so many processes. Nothing answers a call until the test says so. */
const pool = (processes = 2, bend: (send: Connection["send"]) => Connection["send"] = (send) => send) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const sent: Array<Sent> = []
    const connector = sending(script, (connection) =>
      bend((method, params, given, settle) => {
        sent.push({ method, options: given, on: connection.peer.pid as number })
        return connection.send(method, params, given, settle)
      }))
    const told: Array<string> = []
    const reports: Array<Report> = []
    const options: ConnectOptions = {
      report: (report) => {
        reports.push(report)
        if (report._tag === "Notification") told.push(report.notification.method)
      },
      supervision: supervisionOf("one", { ...defaults, keepalive: { ...defaults.keepalive, method: "none" } })
    }
    const connection = yield* PooledConnector.make({ connector, processes }).connect(options)
    yield* TestClock.adjust(0)
    sent.length = 0
    const call = (options: RequestOptions = { timeout: 10_000 }) =>
      Effect.fork(Effect.either(Sending.ask(connection, "tools/call", { name: "echo" }, options)))
    const of = (method: string, on?: number) =>
      sent.filter((one) => one.method === method && (on === undefined || one.on === on))
    const inFlight = () => connection.peer.processes?.map(({ inFlight }) => inFlight)
    const pending = () => script.connections.map(({ pending }) => pending)
    /** All processes leave a call without an answer; pings are answered after so many milliseconds. */
    const hush = (pings: number | undefined) =>
      Effect.gen(function*() {
        script.respond = (method) =>
          method === "ping" && pings !== undefined ? { answer: "result", after: pings } : { answer: "never" }
        for (let i = 0; i < processes; i++) yield* call({ timeout: 5000 })
        yield* TestClock.adjust(5000)
        sent.length = 0
      })
    return { call, connection, hush, inFlight, of, pending, reports, script, sent, told }
  })

describe("the processes of a server as one connection", () => {
  it.scoped("[C18:virtual] the time of a silence is taken from the call's, in every silence: what is left is sent, and at least a millisecond", () =>
    Effect.gen(function*() {
      for (
        const [given, timeout, maxTotalTimeout] of [
          [{ timeout: 10_000 }, 9000, undefined],
          [{ timeout: 10_000, maxTotalTimeout: 60_000 }, 9000, 59_000],
          [{ timeout: 10_000, maxTotalTimeout: 400 }, 9000, 1]
        ] as ReadonlyArray<readonly [RequestOptions, number, number | undefined]>
      ) {
        const { call, hush, of } = yield* pool()
        for (const _ of [1, 2]) {
          yield* hush(1000)
          const waiting = yield* call(given)
          yield* TestClock.adjust(999)
          expect(of("tools/call")).toEqual([])
          yield* TestClock.adjust(1)
          expect(of("tools/call").map(({ options }) => [options.timeout, options.maxTotalTimeout])).toEqual([
            [timeout, maxTotalTimeout]
          ])
          yield* Fiber.interrupt(waiting)
        }
      }
    }))

  it.scoped("[C18:virtual L19:virtual] a process that throws, or has two outcomes, gives its lease back once", () =>
    Effect.gen(function*() {
      const broken = yield* pool(1, (send) => (method, params, given, settle) => {
        if (method !== "tools/call") return send(method, params, given, settle)
        throw new Error("broken on purpose")
      })
      expect(Exit.isFailure(yield* Fiber.await(yield* broken.call()))).toBe(true)
      expect(broken.inFlight()).toEqual([0])
      let again: (() => void) | undefined
      const twice = yield* pool(1, (send) => (method, params, given, settle) => {
        again = () => settle(Exit.fail(new RequestError({ fate: "answered", reason: "remote", message: "again" })))
        return send(method, params, given, settle)
      })
      yield* twice.call()
      const given = yield* twice.call()
      yield* TestClock.adjust(0)
      again?.()
      yield* Fiber.interrupt(given)
      again?.()
      yield* TestClock.adjust(0)
      expect(twice.inFlight()).toEqual([1])
    }))

  it.scoped("[C18:virtual] a request whose time is over in a silence, or that is given up there, was not sent, and holds nothing", () =>
    Effect.gen(function*() {
      const { call, hush, inFlight, of } = yield* pool()
      yield* hush(60_000)
      let withdrawn = 0
      const options: RequestOptions = { timeout: 2000, onwithdrawn: () => withdrawn++ }
      for (const round of [1, 2]) {
        const givenUp = yield* call(options)
        yield* TestClock.adjust(500)
        yield* Fiber.interrupt(givenUp)
        expect(withdrawn).toBe(round)
      }
      const late = yield* call(options)
      yield* TestClock.adjust(1999)
      expect(late.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(Either.getLeft(yield* Fiber.join(late))).toMatchObject({ value: { fate: "notSent", reason: "timeout" } })
      expect(withdrawn).toBe(2)
      expect([of("tools/call"), inFlight()]).toEqual([[], [0, 0]])
    }))

  it.scoped("[C18:virtual] while all are silent, a request goes to the first that is heard, or that comes in place of one that was lost", () =>
    Effect.gen(function*() {
      for (const ends of ["answers", "is lost"]) {
        const { call, hush, of, script } = yield* pool()
        yield* hush(undefined)
        script.respond = (method, _, { id }) =>
          method === "ping" && id === 1 && ends === "answers" ? { answer: "result" } : { answer: "never" }
        const waiting = yield* call({ timeout: 600_000 })
        if (ends === "is lost") script.connections[1]!.lose()
        yield* TestClock.adjust(ends === "answers" ? "1 minute" : "5 seconds")
        expect([ends, of("tools/call").map(({ on }) => on)]).toEqual([ends, [ends === "answers" ? 1 : 2]])
        yield* Fiber.interrupt(waiting)
      }
    }))

  it.scoped("[C18:virtual] a request that is given up after two seconds of silence puts its process in doubt, and none that is given up before", () =>
    Effect.gen(function*() {
      for (
        const [after, heardAt, isInDoubt] of [
          [1999, undefined, false],
          [2000, undefined, true],
          [3500, 1501, false],
          [3500, 1500, true],
          [9000, undefined, true]
        ] as const
      ) {
        const { call, of } = yield* pool()
        for (const _ of [1, 2]) {
          const before = of("ping").length
          const waiting = yield* call({ timeout: 3_600_000, onprogress: () => {} })
          yield* TestClock.adjust(0)
          const { on, options } = of("tools/call").at(-1)!
          if (heardAt !== undefined) {
            yield* TestClock.adjust(heardAt)
            options.onprogress?.({ progress: 1 })
          }
          yield* TestClock.adjust(after - (heardAt ?? 0))
          yield* Fiber.interrupt(waiting)
          yield* TestClock.adjust(0)
          expect([after, of("ping").length - before]).toEqual([after, isInDoubt ? 1 : 0])
          if (isInDoubt) expect(of("ping").at(-1)!.on).toBe(on)
        }
      }
    }))

  it.scoped("[C18:virtual] the next request of the moment in which one is given up after a silence goes to another process, though that has more to do", () =>
    Effect.gen(function*() {
      for (const after of [1999, 2000]) {
        const { call, connection, of } = yield* pool()
        const waiting = yield* call()
        yield* TestClock.adjust(0)
        const { on } = of("tools/call")[0]!
        for (let i = 0; i < 3; i++) yield* call()
        yield* TestClock.adjust(after)
        expect(of("tools/call").filter((one) => one.on !== on)).toHaveLength(2)
        let next: Fiber.Fiber<unknown, unknown> = waiting
        // Before the supervisor of the process learns of it.
        waiting.addObserver(() => {
          next = Effect.runFork(Sending.ask(connection, "tools/call", { name: "echo" }, { timeout: 10_000 }))
        })
        yield* Fiber.interrupt(waiting)
        expect(of("tools/call").at(-1)!.on === on).toBe(after < 2000)
        yield* Fiber.interrupt(next)
      }
    }))

  it.scoped("[C18:virtual V6] a process that ends after each call is soon there again, however often; one that has only listed something backs off", () =>
    Effect.gen(function*() {
      for (const method of ["tools/call", "tools/list"] as const) {
        const { connection, script } = yield* pool()
        const attempts = () => script.ledger.attempts.length
        let last = script.current
        script.respond = (_, __, connection) => {
          last = connection
          return undefined
        }
        for (let round = 0; round < 5; round++) {
          yield* Sending.ask(connection, method, { name: "echo" } as never, { timeout: 1000 })
          const before = attempts()
          last.lose()
          // Each of the two is lost in turn, and the pause of one that backs off is longer the second time.
          const isBack = method === "tools/call" || round < 2
          yield* TestClock.adjust(999)
          expect([method, round, attempts() - before]).toEqual([method, round, isBack ? 1 : 0])
          if (!isBack) break
        }
      }
    }))

  it.scoped("[C18:virtual] the status of a process says why it was lost until its next connection is stable, each time", () =>
    Effect.gen(function*() {
      const { connection, script } = yield* pool()
      const errors = () => connection.peer.processes?.map(({ lastError }) => lastError)
      for (const message of ["first", "second"]) {
        expect(errors()).toEqual([undefined, undefined])
        script.connections[message === "first" ? 1 : 2]!.lose({ kind: "closed", message })
        yield* TestClock.adjust("2 seconds")
        expect(errors()).toEqual([undefined, message])
        yield* TestClock.adjust("2 minutes")
      }
      expect(errors()).toEqual([undefined, undefined])
    }))

  it.scoped("[C18:virtual] a lease is given back at each way out: answer, error, defect, interruption, time, loss", () =>
    Effect.gen(function*() {
      const ledger = leases()
      yield* Effect.addFinalizer(() => Effect.sync(ledger.stop))
      const { call, inFlight, pending, script } = yield* pool()
      const error = new RequestError({ fate: "answered", reason: "remote", code: 1, message: "no" })
      const answers: ReadonlyArray<ScriptedConnector.Answer> = [
        { answer: "result", after: 1000 },
        { answer: "error", error, after: 1000 },
        { answer: "die" },
        { answer: "never" }
      ]
      for (const answer of answers) {
        script.respond = (method) => method === "tools/call" ? answer : undefined
        for (const end of ["time", "interruption"]) {
          const fiber = yield* call({ timeout: 5000 })
          yield* TestClock.adjust(0)
          expect(ledger.all()).toBe(pending().reduce((sum, one) => sum + one))
          if (end === "interruption") yield* Fiber.interrupt(fiber)
          else yield* TestClock.adjust(5000)
          yield* TestClock.adjust(0)
          expect([ledger.held(), inFlight(), ledger.faults()]).toEqual([[0, 0], [0, 0], []])
        }
      }
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const [one, other] = [yield* call(), yield* call()]
      yield* TestClock.adjust(0)
      expect(inFlight()).toEqual([1, 1])
      script.connections[0]!.lose()
      yield* TestClock.adjust(0)
      expect([ledger.held(), inFlight()]).toEqual([[0, 1], [0, 1]])
      yield* Fiber.interruptAll([one, other])
      expect(ledger.all()).toBe(0)
    }))

  it.scoped("[C18:virtual] a ping probes each process, and succeeds if one answers", () =>
    Effect.gen(function*() {
      const { connection, of, script } = yield* pool(3)
      const ping = Effect.either(Sending.ask(connection, "ping", undefined, { timeout: 1 }))
      for (const answering of [[0, 1, 2], [2], [0], []]) {
        script.respond = (method, _, { id }) =>
          method === "ping" && answering.includes(id) ? { answer: "result" } : { answer: "never" }
        const before = of("ping").length
        const fiber = yield* Effect.fork(ping)
        yield* TestClock.adjust(0)
        expect(of("ping").length - before).toBeGreaterThanOrEqual(3)
        yield* TestClock.adjust("10 seconds")
        expect(Either.isRight(yield* Fiber.join(fiber))).toBe(answering.length > 0)
        // None is in doubt any more.
        script.respond = undefined
        yield* TestClock.adjust("1 minute")
      }
    }))

  it.scoped("[C18:virtual E4] of which lists a process hears is said of the whole, and the process itself reads none", () =>
    Effect.gen(function*() {
      const { reports, script, sent } = yield* pool()
      const report: Report = { _tag: "Hearing", hearing: { announced: ["tools"], unannounced: ["prompts"] } }
      reports.length = 0
      script.connections[0]!.options.report(report)
      expect(reports).toEqual([report])
      yield* TestClock.adjust(0)
      expect(sent.filter(({ method }) => method.endsWith("/list"))).toEqual([])
    }))

  it.scoped("[C18:virtual] each time that one was measured, or is gone, what the processes use is added up, of those that there are", () =>
    Effect.gen(function*() {
      const { reports, script } = yield* pool(3)
      reports.length = 0
      script.connections[0]!.use(1e6, { cpu: 10, cpuTime: 3 })
      script.connections[1]!.use(20e6, { cpu: 5, cpuTime: 4 })
      expect(reports).toEqual([
        { _tag: "Usage", usage: { memory: 1e6, cpu: 10, cpuTime: 3 } },
        { _tag: "Usage", usage: { memory: 21e6, cpu: 15, cpuTime: 7 } }
      ])
      script.connections[1]!.lose()
      yield* TestClock.adjust(0)
      expect(reports.slice(-2)).toEqual([
        { _tag: "Usage", usage: { memory: 1e6, cpu: 10, cpuTime: 3 } },
        { _tag: "Peer" }
      ])
    }))

  it.effect("[C18:virtual] a connection that has been closed adds nothing up, announces nothing, and has closed each process once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { reports, script, sent, told } = yield* Scope.extend(pool(3), scope)
      script.connections[0]!.use(1e6)
      script.connections[0]!.notify("notifications/tools/list_changed")
      yield* Scope.close(scope, Exit.void)
      reports.length = 0
      script.connections[0]!.options.report({ _tag: "Usage", usage: { memory: 1e6, cpu: 0, cpuTime: 0 } })
      yield* TestClock.adjust("1 hour")
      expect([reports, told, sent]).toEqual([[], [], []])
      expect(script.ledger.faults).toEqual([])
    }))

  it.scoped("[C18:virtual] what is set holds in each process, the last of it also in each that comes, and again", () =>
    Effect.gen(function*() {
      const { connection, script } = yield* pool()
      const levels = new Map<number, Array<unknown>>()
      script.respond = (method, params, { id }) => {
        if (method === "logging/setLevel") levels.set(id, [...levels.get(id) ?? [], (params as any).level])
        return undefined
      }
      const set = (level: "debug" | "error") =>
        Sending.ask(connection, "logging/setLevel", { level }, { timeout: 1000 })
      yield* set("debug")
      script.connections[0]!.lose()
      // The next one in its place is not there yet.
      yield* set("error")
      yield* TestClock.adjust("20 seconds")
      for (const nth of [2, 1]) {
        script.connections[nth]!.lose()
        yield* TestClock.adjust("20 seconds")
      }
      expect(Object.fromEntries(levels)).toEqual({
        0: ["debug"],
        1: ["debug", "error"],
        2: ["error"],
        3: ["error"],
        4: ["error"]
      })
    }))

  it.scoped("[C18:virtual] a notification reaches each process, each time", () =>
    Effect.gen(function*() {
      const { connection, script } = yield* pool(3)
      const method = "notifications/roots/list_changed"
      for (const round of [1, 2]) {
        yield* connection.notify(method)
        for (const id of [0, 1, 2]) expect(script.ledger.sent(method, id)).toHaveLength(round)
      }
    }))

  it.scoped("[C18:virtual] a list that was asked for again is given up where it is asked for now", () =>
    Effect.gen(function*() {
      const { connection, inFlight, pending, script } = yield* pool(3)
      script.respond = (method) => method === "tools/list" ? { answer: "never" } : undefined
      const list = yield* Effect.fork(Sending.ask(connection, "tools/list", undefined, { timeout: 60_000 }))
      yield* TestClock.adjust(0)
      for (const _ of [1, 2]) {
        script.connections.find(({ pending }) => pending > 0)!.lose()
        yield* TestClock.adjust(0)
        expect(pending().filter((count) => count > 0)).toEqual([1])
      }
      yield* Fiber.interrupt(list)
      yield* TestClock.adjust(0)
      expect(pending().filter((count) => count > 0)).toEqual([])
      expect(inFlight()).toEqual([0, 0, 0])
    }))

  it.scoped("[C18:virtual] a subscription that is made while all are silent is made all the same, and loses nothing", () =>
    Effect.gen(function*() {
      const { connection, hush, script } = yield* pool()
      const losses: Array<string> = []
      connection.onLost(({ message }) => void losses.push(message))
      yield* hush(undefined)
      script.respond = (method) => method === "resources/subscribe" ? undefined : { answer: "never" }
      yield* Sending.ask(connection, "resources/subscribe", { uri: "a:1" }, { timeout: 1000 })
      expect(losses).toEqual([])
    }))

  it.scoped("[C18:virtual] it is lost once, when no process is left, and each later request was not sent", () =>
    Effect.gen(function*() {
      const { call, connection, script } = yield* pool()
      const losses: Array<string> = []
      connection.onLost(({ message }) => void losses.push(message))
      script.otherwise = { connect: "fail" }
      script.connections[0]!.lose()
      yield* TestClock.adjust(0)
      expect(losses).toEqual([])
      script.connections[1]!.lose({ kind: "closed", message: "the last one" })
      yield* TestClock.adjust("1 minute")
      expect(losses).toEqual(["the last one"])
      script.otherwise = {}
      yield* TestClock.adjust("1 minute")
      for (const _ of [1, 2]) {
        expect(Either.getLeft(yield* Fiber.join(yield* call()))).toMatchObject({
          value: { fate: "notSent", reason: "lost" }
        })
      }
      expect(losses).toHaveLength(1)
    }))

  it.scoped("[C18:virtual] it is lost in the step in which its last process refuses a request as lost, or in which that is lost, for that reason", () =>
    Effect.gen(function*() {
      for (const kind of ["closed", "session", "health", "memory", "refused"] as const) {
        const { call, connection, script } = yield* pool()
        const losses: Array<string> = []
        connection.onLost((loss) => void losses.push(loss.kind))
        script.otherwise = { connect: "fail" }
        script.connections[0]!.lose()
        yield* TestClock.adjust(0)
        expect(losses).toEqual([])
        if (kind === "refused") {
          const error = new RequestError({ fate: "notSent", reason: "lost", message: "the pipe is closed" })
          script.respond = () => ({ answer: "error", error })
          expect(Either.isLeft(yield* Fiber.join(yield* call()))).toBe(true)
        } else script.connections[1]!.lose({ kind, message: "the last one" })
        yield* TestClock.adjust(0)
        expect(losses).toEqual([kind === "refused" ? "closed" : kind])
      }
    }))

  it.scoped("[C18:virtual] a list is asked for again in another process, as long as there is one; nothing else is", () =>
    Effect.gen(function*() {
      for (const method of ["tools/list", "resources/list", "tools/call"] as const) {
        const { connection, of, script } = yield* pool(3)
        const isList = method !== "tools/call"
        script.otherwise = { connect: "fail" }
        for (const lost of [1, 2, 3]) {
          let left = 1
          script.respond = (asked, _, connection) => {
            if (asked !== method || left-- === 0) return undefined
            connection.lose()
            return { answer: "never" }
          }
          const before = of(method).length
          const answer = yield* Effect.either(
            Sending.ask(connection, method, { name: "echo" } as never, { timeout: 1000 })
          )
          const isAnswered = isList && lost < 3
          expect([method, lost, Either.isRight(answer)]).toEqual([method, lost, isAnswered])
          if (Either.isLeft(answer)) expect(answer.left.fate).toBe("unknown")
          expect(of(method).length - before).toBe(isAnswered ? 2 : 1)
        }
      }
    }))

  it.scoped("[C18:virtual] another version of the server introduces all, each time that it comes, and may have other lists", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      let serverInfo = { name: "one", version: "1" }
      const connector = {
        ...script,
        connect: (options: ConnectOptions) =>
          Effect.map(script.connect(options), (connection) => ({ ...connection, serverInfo }))
      }
      let heard = 0
      const options = {
        report: taking("Hearing", ({ hearing }) => {
          if (hearing.announced.length === 4) heard++
        })
      }
      const made = PooledConnector.make({ connector, processes: 2 })
      const connection = yield* made.connect(options)
      yield* TestClock.adjust(0)
      let changes = 0
      for (
        const [name, version] of [["one", "1"], ["one", "2"], ["one", "2"], ["one", "3"], ["other", "3"]] as const
      ) {
        const isNew = serverInfo.name !== name || serverInfo.version !== version
        serverInfo = { name, version }
        if (isNew) changes++
        script.current.lose()
        yield* TestClock.adjust("20 seconds")
        expect([connection.serverInfo, heard]).toEqual([serverInfo, changes])
      }
    }))

  it.scoped("[C18:virtual G25] what the first process says of its attempt is said of that of all: what it does, and that it waits for a sign-in", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      let attempts = 0
      let isSigningIn = true
      const connector = {
        ...script,
        connect: (options: ConnectOptions) => {
          const number = ++attempts
          options.report({ _tag: "Attempt", describe: () => `attempt ${number}`, isSigningIn: () => isSigningIn })
          return Effect.delay(script.connect(options), 5000)
        }
      }
      const told: Array<ReadonlyArray<(() => unknown) | undefined>> = []
      const options = {
        report: taking("Attempt", ({ describe, isSigningIn }) => told.push([describe, isSigningIn]))
      }
      yield* Effect.fork(PooledConnector.make({ connector, processes: 2 }).connect(options))
      yield* TestClock.adjust(0)
      const said = () => told.map((given) => given.map((one) => one?.()))
      expect(said()).toEqual([["attempt 1", true]])
      isSigningIn = false
      yield* TestClock.adjust(5000)
      expect(said()).toEqual([["attempt 1", false]])
      expect(attempts).toBe(2)
      yield* TestClock.adjust(5000)
    }))

  it.scoped("[C18:virtual] when it is told to fail, all that is in flight ends, and nothing is taken any more", () =>
    Effect.gen(function*() {
      const { call, connection, of } = yield* pool()
      const calls = [yield* call(), yield* call()]
      yield* TestClock.adjust(0)
      connection.fail({ kind: "closed", message: "enough" })
      yield* TestClock.adjust(0)
      for (const one of calls) expect(Either.isLeft(yield* Fiber.join(one))).toBe(true)
      expect(Either.isLeft(yield* Fiber.join(yield* call()))).toBe(true)
      expect(of("tools/call")).toHaveLength(2)
    }))
})

describe("what several processes announce", () => {
  it.scoped("[C18:virtual] each changed list is passed on 200 ms after the first announcement, as the last one says it, each time again", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const runtime = yield* Effect.runtime<never>()
      const scope = yield* Effect.scope
      const announcements = new Announcements({
        announce: ({ method, params }) => void told.push(params === undefined ? method : params["n"]),
        run: (work) => void Effect.runFork(Effect.provide(Effect.forkIn(work, scope), runtime))
      })
      const take = (method: string, n?: number) =>
        announcements.take(n === undefined ? { method } : { method, params: { n } })
      const [tools, prompts] = ["notifications/tools/list_changed", "notifications/prompts/list_changed"]
      for (const _ of [1, 2]) {
        told.length = 0
        take(tools, 1)
        take("notifications/message")
        take("notifications/resources/updated")
        expect(told).toEqual(["notifications/message", "notifications/resources/updated"])
        yield* TestClock.adjust(150)
        take(tools, 2)
        take(prompts, 3)
        yield* TestClock.adjust(49)
        expect(told).toHaveLength(2)
        yield* TestClock.adjust(1)
        expect(told.slice(2)).toEqual([2])
        // This one is another change.
        take(tools, 4)
        yield* TestClock.adjust(149)
        expect(told.slice(3)).toEqual([])
        yield* TestClock.adjust(1)
        expect(told.slice(3)).toEqual([3])
        yield* TestClock.adjust(49)
        expect(told.slice(4)).toEqual([])
        yield* TestClock.adjust(1)
        expect(told.slice(4)).toEqual([4])
        yield* TestClock.adjust("1 minute")
        expect(told).toHaveLength(5)
      }
    }))
})

describe("which process has a task", () => {
  const processOf = () => {
    const live = {}
    const member = { live: live as object | undefined }
    return { member, choice: { member, live } as never as Choice }
  }
  const made = (taskId: unknown) => ({ task: { taskId } })

  it("[C18] requests about it go there while that connection lives, and not to the next one of that process", () => {
    const owners = new TaskOwners()
    const [one, other] = [processOf(), processOf()]
    owners.note("tools/call", made("a"), one.choice)
    owners.note("tools/call", made("b"), other.choice)
    for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
      expect(owners.of(method, { taskId: "a" })).toBe(one.choice)
      expect(owners.of(method, { taskId: "b" })).toBe(other.choice)
      expect(owners.of(method, { taskId: "c" })).toBeUndefined()
    }
    expect(owners.of("tools/call", { taskId: "a" })).toBeUndefined()
    one.member.live = undefined
    expect(owners.of("tasks/get", { taskId: "a" })).toBeUndefined()
    one.member.live = {}
    expect(owners.of("tasks/get", { taskId: "a" })).toBeUndefined()
    expect(owners.of("tasks/get", { taskId: "b" })).toBe(other.choice)
    // Another one has made a task of that name.
    owners.note("tools/call", made("a"), other.choice)
    expect(owners.of("tasks/get", { taskId: "a" })).toBe(other.choice)
  })

  it("[C18] ten thousand are remembered, with ids of up to a thousand characters, and the oldest are forgotten first", () => {
    const owners = new TaskOwners()
    const { choice } = processOf()
    const [longest, longer] = ["x".repeat(1000), "x".repeat(1001)]
    owners.note("tools/call", made(longest), choice)
    owners.note("tools/call", made(longer), choice)
    for (const odd of [undefined, 1, null, {}]) owners.note("tools/call", made(odd), choice)
    owners.note("tools/list", made("listed"), choice)
    expect(owners.of("tasks/get", { taskId: longest })).toBe(choice)
    for (const taskId of [longer, "listed", undefined, 1]) expect(owners.of("tasks/get", { taskId })).toBeUndefined()
    for (let i = 0; i < 9999; i++) owners.note("tools/call", made(`t${i}`), choice)
    expect(owners.of("tasks/get", { taskId: longest })).toBe(choice)
    for (const i of [9999, 10_000]) {
      owners.note("tools/call", made(`t${i}`), choice)
      expect(owners.of("tasks/get", { taskId: i === 9999 ? longest : "t0" })).toBeUndefined()
      expect(owners.of("tasks/get", { taskId: i === 9999 ? "t0" : "t1" })).toBe(choice)
    }
  })
})
