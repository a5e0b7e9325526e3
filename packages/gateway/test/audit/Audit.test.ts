/** What the audit writes of calls, and says of its file, as both go on. */
import { ExactJson } from "@mcp-lifeline/core/text"
import { anyone } from "@mcp-lifeline/http-server/Caller"
import { Effect, Exit, Scope, TestClock } from "effect"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"
import * as Audit from "../../src/audit/Audit.js"
import type { AuditLine } from "../../src/audit/AuditLine.js"
import { digest } from "../../src/audit/canonical.js"
import type * as Ended from "../../src/audit/Ended.js"
import { describe, expect, test } from "../support/vitest.js"

const ok: Ended.Ended = { outcome: "ok", fate: "answered" }
const deep: unknown = JSON.parse(`${"[".repeat(5000)}"x"${"]".repeat(5000)}`)

const recording = Effect.fnUntraced(function*(options: Partial<Audit.Options> = {}) {
  const home = join(yield* folder, "logs")
  mkdirSync(home)
  const file = join(home, "calls")
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const logged: Array<string> = []
  const audit = yield* Scope.extend(
    Audit.make(
      { file, size: 1_000_000, files: 1, full: "stop", withArguments: false, ...options },
      (line) => void logged.push(line.replaceAll(home, ""))
    ),
    scope
  )
  const begin = (given: Partial<Audit.Arrived> = {}) =>
    audit.begin({ door: "mcp", caller: anyone, method: "tools/call", params: { name: "read" }, ...given })
  const ended = (call: Audit.AuditedCall, how = ok) =>
    Effect.async<boolean>((resume) => call.ended(how, (mayAnswer) => resume(Effect.succeed(mayAnswer))))
  const lines = (): ReadonlyArray<Record<string, any>> =>
    readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, any>)
  const line = (given?: Partial<Audit.Arrived>, act: (call: Audit.AuditedCall) => void = () => undefined) =>
    Effect.gen(function*() {
      const call = begin(given)
      act(call)
      yield* ended(call)
      return lines().at(-1) as AuditLine
    })
  return { audit, begin, close: Scope.close(scope, Exit.void), ended, file, home, line, lines, logged }
})

describe("the line of a call", () => {
  test.scoped("[G23:unit] has its arguments as the server receives them: numbers that JavaScript would change, too", function*() {
    const { file, line } = yield* recording({ withArguments: true })
    const texts = ["9007199254740993", "9007199254740992", "1.0", "1", "1e400", "null", "-0", "0", "0.1", "0.10"]
    const hashes = new Set<string | undefined>()
    for (const text of texts) {
      const args = `{"n":${text},"list":[${text},{"of":${text}}]}`
      const params = ExactJson.parse(`{"name":"read","arguments":${args}}`) as Record<string, unknown>
      hashes.add((yield* line({ params })).hash)
      expect(readFileSync(file, "utf8").trim().split("\n").at(-1)).toContain(`"arguments":${args}`)
    }
    expect(hashes.size).toBe(texts.length)
  })

  test.scoped("[G23:unit] has the input with which a client calls again, as its arguments", function*() {
    const [without, withThem] = [yield* recording(), yield* recording({ withArguments: true })]
    const inputResponses = { confirm: { action: "accept", content: { amount: 5 } } }
    const params = { name: "pay", inputResponses, requestState: "s" }
    expect(yield* without.line({ params: { name: "pay" } })).not.toHaveProperty("inputHash")
    const short = yield* without.line({ params })
    expect([short.inputHash, short.input]).toEqual([digest(inputResponses), undefined])
    const full = yield* withThem.line({ params })
    expect(full).toMatchObject({ inputHash: digest(inputResponses), arguments: {}, input: inputResponses })
  })

  test.scoped("[G23:unit] has when it arrived, how often it was sent, on which connection, and how long it waited and took", function*() {
    const { begin, ended, lines } = yield* recording()
    yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6))
    const [call, unsent] = [begin({ id: 7 }), begin({ id: "x" })]
    expect(call.isSent()).toBe(false)
    yield* TestClock.adjust("1.5 seconds")
    call.sent(3)
    yield* TestClock.adjust("0.25 seconds")
    call.sent(4)
    expect([call.isSent(), unsent.isSent()]).toEqual([true, false])
    yield* TestClock.adjust("2 seconds")
    expect(yield* ended(call, { ...ok, code: 5, reason: "why" })).toBe(true)
    expect(yield* ended(unsent, { outcome: "error", fate: "notSent" })).toBe(true)
    expect(yield* ended(call)).toBe(true)
    const asked = { door: "mcp", client: {}, method: "tools/call", server: null, tool: "read", hash: digest({}) }
    const both = { event: "call", time: "2026-01-02T03:04:05.006Z", ...asked }
    const how = { ...ok, code: 5, reason: "why", attempts: 2, generation: 4, waited: 1750, answered: 2000 }
    expect(lines()).toEqual([
      { event: "start", time: "1970-01-01T00:00:00.000Z", version: expect.any(String), pid: process.pid },
      { ...both, id: 7, ...how },
      { ...both, id: "x", outcome: "error", fate: "notSent", attempts: 0, waited: 3750 }
    ])
  })

  test.scoped("[G23:unit] has the server and the name there, and the name that the client used where that is another", function*() {
    const { line } = yield* recording()
    expect(yield* line({}, (call) => call.found("files"))).toMatchObject({ server: "files", tool: "read" })
    const renamed = yield* line({ params: { name: "files__read" } }, (call) => call.found("files", "read"))
    expect(renamed).toMatchObject({ server: "files", tool: "read", as: "files__read" })
    const sent = yield* line({ params: { name: "files__read" } }, (call) => call.sentAs("files", { name: "read" }))
    expect(sent).toMatchObject({ server: "files", tool: "read", as: "files__read" })
    expect(sent).not.toHaveProperty("asHash")
    const long = "x".repeat(501)
    const cut = yield* line({ params: { name: long } }, (call) => call.found("files", "read"))
    expect(cut).toMatchObject({ as: `${"x".repeat(500)}[cut: 501 characters]`, asHash: digest(long) })
    expect(yield* line({ params: { name: "x".repeat(500) } })).toMatchObject({ tool: "x".repeat(500) })
    expect(yield* line({ params: undefined })).toMatchObject({ tool: "", server: null })
    const prompt = yield* line({ method: "prompts/get", params: { name: "p", uri: "u" } })
    const resource = yield* line({ method: "resources/read", params: { name: "p", uri: "u" } })
    expect([prompt.tool, resource.tool]).toEqual(["p", "u"])
    expect(yield* line({ params: { name: deep } })).toMatchObject({ tool: "[nested too deeply to be written]" })
  })

  test.scoped("[G23 O1:unit] has the trace of the request, or that with which it was sent", function*() {
    const { line } = yield* recording()
    const id = "0123456789abcdef0123456789abcdef"
    const traced = (traceparent: unknown) => ({ name: "read", _meta: { traceparent } })
    const parent = `00-${id}-0123456789abcdef-01`
    expect((yield* line({ params: traced(parent) })).trace).toBe(id)
    for (const other of [undefined, 5, "", id, `00-${id}`, `x${parent}`, `00-${id.toUpperCase()}-1`, `00-${id}0-1`]) {
      expect((yield* line({ params: traced(other) })).trace).toBeUndefined()
    }
    const other = id.replace("0", "f")
    const sent = traced(`00-${other}-0123456789abcdef-01`)
    expect((yield* line({ params: traced(parent) }, (call) => call.sentAs("s", sent))).trace).toBe(other)
    expect((yield* line({ params: traced(parent) }, (call) => call.sentAs("s", { name: "read" }))).trace).toBe(id)
    expect((yield* line({ params: { name: "read", _meta: "x" } as never })).trace).toBeUndefined()
  })

  test.scoped("[G22 G23:unit] has who calls, with a subject that is the whole or tells so", function*() {
    const { line } = yield* recording()
    const introduced = { clientInfo: { name: "editor", version: "2" } } as never
    const named = { subject: "client:ci", name: "ci", program: "editor", version: "2" }
    expect((yield* line({ caller: NamedCaller.of("ci"), introduced, door: "api" })).client).toEqual(named)
    const of = (subject: string) =>
      Effect.map(line({ caller: { subject, claims: {} } }), ({ client }) => client.subject!)
    const plain = ["https://issuer access_token:1", "https://issuer sk-0123456789abcdef0123"]
    for (const one of plain) expect(yield* of(one)).toBe(one)
    const [most, long, other] = [500, 501, 501].map((length, i) => `https://issuer ${"x".repeat(length - 16)}${i}`)
    expect(yield* of(most!)).toBe(most)
    const [ofLong, ofOther] = [yield* of(long!), yield* of(other!)]
    expect(ofLong).toBe(`${long!.slice(0, 420)} ${digest(long!)}`)
    expect(ofOther).not.toBe(ofLong)
    const wordy = { clientInfo: { name: "x".repeat(1000), version: "1" } } as never
    expect((yield* line({ introduced: wordy })).client.program).toBe("x".repeat(500))
    const odd = { introduced: { clientInfo: { name: 5, version: {} } } as never, id: "y".repeat(600) }
    const strange = yield* line(odd)
    expect(strange).toMatchObject({ client: { program: "", version: "" }, id: "y".repeat(500) })
  })

  test.scoped("[G23:unit] has the arguments only where it is asked to, and not those that are too long or too deep", function*() {
    const [without, withThem] = [yield* recording(), yield* recording({ withArguments: true })]
    const of = (given: unknown) => ({ params: { name: "read", arguments: given } })
    const given = { a: 1, path: "/a" }
    expect(yield* without.line(of(given))).not.toHaveProperty("arguments")
    expect(yield* withThem.line(of(given))).toMatchObject({ hash: digest(given), arguments: given })
    const fits = "z".repeat(64 * 1024 - 2)
    expect((yield* withThem.line(of(fits))).arguments).toBe(fits)
    const cut = yield* withThem.line(of(`${fits}z`))
    expect([cut.arguments, cut.hash]).toEqual(["[cut: 65537 characters]", digest(`${fits}z`)])
    expect((yield* withThem.line(of(deep))).arguments).toBe("[nested too deeply to be written]")
    const unhashed = yield* without.line(of(deep))
    expect([unhashed.hash, unhashed.arguments]).toEqual([undefined, undefined])
    expect((yield* withThem.line({ params: undefined })).arguments).toEqual({})
  })
})

describe("a file that cannot be written", () => {
  test.scoped("[G23:unit] go-on: calls are answered, and the next line says how many have none, each time anew", function*() {
    const { audit, begin, ended, home, lines, logged } = yield* recording({ full: "go-on" })
    const call = Effect.suspend(() => ended(begin()))
    const untroubled = [undefined, undefined, { file: join(home, "calls"), lost: 0 }]
    expect([audit.problem(), audit.refusal(), audit.status()]).toEqual(untroubled)
    for (const [times, total] of [[3, 3], [1, 4]] as const) {
      rmSync(home, { recursive: true })
      for (let i = 0; i < times; i++) expect(yield* call).toBe(true)
      expect(audit.problem()).toContain("its folder does not exist")
      expect(audit.refusal()).toBeUndefined()
      const losing = { lost: total, problem: expect.stringContaining("calls have no line") }
      expect(audit.status()).toMatchObject(losing)
      mkdirSync(home)
      expect(yield* call).toBe(true)
      expect(yield* call).toBe(true)
      const written = [["call", undefined], ["lost", times], ["call", undefined]]
      expect(lines().map(({ event, lines }) => [event, lines])).toEqual(written)
      expect(audit.status()).toEqual({ file: join(home, "calls"), lost: total })
    }
    const gone = /^\/calls cannot be written \(its folder does not exist\): calls go on without a line; make/
    expect(logged).toEqual([
      expect.stringMatching(gone),
      "/calls can be written again; missing lines of calls: 3",
      expect.stringContaining("calls go on without a line"),
      "/calls can be written again; missing lines of calls: 4"
    ])
  })

  test.scoped("[G23:unit] stop: the call is not answered, later ones are refused, and no line is missing in the end", function*() {
    const { audit, begin, ended, home, lines, logged } = yield* recording()
    rmSync(home, { recursive: true })
    expect(yield* ended(begin({ id: 1 }))).toBe(false)
    const why = /^nothing is done without a line in the audit, and .*its folder does not exist.*; make/
    expect(audit.refusal()).toMatch(why)
    const refusing = { lost: 0, problem: expect.stringContaining("so calls are refused; make") }
    expect(audit.status()).toMatchObject(refusing)
    mkdirSync(home)
    expect(yield* ended(begin({ id: 2 }))).toBe(true)
    expect(lines().map(({ event, id }) => [event, id])).toEqual([["call", 1], ["call", 2]])
    expect([audit.refusal(), audit.status().lost]).toEqual([undefined, 0])
    expect(logged).toEqual([
      expect.stringMatching(/calls are refused until it can; make .*, or start with --audit-full go-on$/),
      "/calls can be written again"
    ])
  })

  test.scoped("[G23:unit] at the end: calls without an answer have a line, and what cannot be written is told", function*() {
    const { begin, close, lines } = yield* recording()
    begin({ id: "sent" }).sent(1)
    begin({ id: "unsent" })
    yield* close
    expect(lines().slice(1)).toMatchObject([
      { id: "sent", outcome: "error", reason: "Interrupted", fate: "unknown" },
      { id: "unsent", outcome: "error", reason: "Interrupted", fate: "notSent" }
    ])
    // Also where it could be written until then, and where nothing is left to write.
    for (const full of ["stop", "go-on"] as const) {
      for (const [before, open] of [[1, 1], [0, 1], [1, 0], [3, 2]] as const) {
        const other = yield* recording({ full })
        rmSync(other.home, { recursive: true })
        for (let i = 0; i < before; i++) yield* other.ended(other.begin())
        for (let i = 0; i < open; i++) other.begin()
        yield* other.close
        expect(other.logged).toEqual([
          expect.stringMatching(/does not exist\): calls /),
          `/calls cannot be written (its folder does not exist); missing lines of calls: ${before + open}`
        ])
      }
    }
  })
})
