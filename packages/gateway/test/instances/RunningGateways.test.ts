import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { listening as listeningAt } from "../../../testing/test/support/listening.js"
import * as Proof from "../../src/instances/Proof.js"
import * as RunningGateways from "../../src/instances/RunningGateways.js"
import { describe, expect, it, test } from "../support/vitest.js"

const listening = (listener: RequestListener, onConnection: () => void = () => undefined, host?: string) =>
  listeningAt(createServer(listener).on("connection", onConnection), host)

const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.family === "IPv6")

const secret = SealedId.randomSecret()
const token = Redacted.make("the-token-of-the-user")

const prove: RequestListener = ({ url = "" }, response) => void response.end(Proof.answer(secret, url))

const inFolder = (path: string) => Effect.provideService(StateFolder.StateFolder, StateFolder.make(path))

const register = (url: string) => RunningGateways.register({ url, config: null, startedAt: 0, token, secret })

describe("the running gateways", () => {
  test.scopedLive("[G1] one that has no time for a few seconds is found all the same", function*() {
    const url = yield* listening((request, response) => void setTimeout(() => prove(request, response), 3000))
    const found = yield* Effect.zipRight(register(url), RunningGateways.running).pipe(inFolder(yield* folder))
    expect(found).toMatchObject([{ url, pid: process.pid }])
  })

  test.scopedLive.each<[string, string]>([
    ["nothing of the kind", "{}"],
    ["a proof for another challenge", Proof.answer(secret, `${Proof.path}?challenge=${"a".repeat(43)}`) ?? ""],
    ["without an end", "x".repeat(100_000)]
  ])("[X6] what listens at the port of a gateway and answers with %s gets no token", function*([, text]) {
    const heard: Array<unknown> = []
    const url = yield* listening((request, response) => {
      heard.push(request.headers.authorization)
      response.write(text)
      if (text.length < 1000) response.end()
    })
    const found = yield* Effect.zipRight(register(url), RunningGateways.running).pipe(inFolder(yield* folder))
    expect(found).toEqual([])
    expect(heard).toEqual([undefined])
  })

  test.scopedLive.each<[string, object]>([
    ["a process that has its number now", { start: "1" }],
    ["a process that is gone", { pid: 4_190_000 }]
  ])("[X6] %s is not asked, and the entry is removed", function*([, change]) {
    let asked = 0
    const url = yield* listening((request, response) => {
      asked++
      prove(request, response)
    })
    const path = yield* folder
    const found = yield* Effect.gen(function*() {
      const { file } = yield* register(url)
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...change }))
      return yield* RunningGateways.running
    }).pipe(inFolder(path))
    expect(found).toEqual([])
    expect(asked).toBe(0)
    expect(readdirSync(join(path, "gateways"))).toEqual([])
  })

  test.scopedLive.each<[string, number, number]>([["31 days", 31, 0], ["29 days", 29, 1]])(
    "[G14] one of another machine that was seen %s ago, and an address that is none",
    function*([, days, kept]) {
      const path = yield* folder
      const found = yield* Effect.gen(function*() {
        const { file } = yield* register("no address")
        const seenAt = Date.now() - days * 24 * 60 * 60 * 1000
        const entry = { ...JSON.parse(readFileSync(file, "utf8")), machine: "elsewhere", seenAt }
        writeFileSync(file, JSON.stringify(entry))
        yield* register("neither")
        return yield* RunningGateways.running
      }).pipe(inFolder(path))
      expect(found).toEqual([])
      expect(readdirSync(join(path, "gateways"))).toHaveLength(kept + 1)
    }
  )

  test.scopedLive("[G1] those that run are found in the order of their start, where programs of this machine reach them, until they end", function*() {
    const path = yield* folder
    const url = yield* listening(prove)
    const { port } = new URL(url)
    const one = { config: null, token: null, secret }
    yield* Effect.scoped(Effect.gen(function*() {
      const { file } = yield* RunningGateways.register({ ...one, url: `http://localhost:${port}`, startedAt: 2 })
      yield* RunningGateways.register({ ...one, url: `http://0.0.0.0:${port}`, startedAt: 1 })
      yield* RunningGateways.register({ ...one, url: `http://127.1:${port}`, startedAt: 3 })
      // The system of another machine does not say when a process was started: the proof decides.
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), start: "" }))
      const found = yield* RunningGateways.running
      expect(found.map((gateway) => gateway.startedAt)).toEqual([1, 2, 3])
      expect(found[0]?.url).toBe(url)
      const { file: wide } = yield* RunningGateways.register({ ...one, url: "http://[::]:1", startedAt: 4 })
      expect(JSON.parse(readFileSync(wide, "utf8")).url).toBe("http://[::1]:1")
    })).pipe(inFolder(path))
    expect(readdirSync(join(path, "gateways"))).toEqual([])
  })

  test.scopedLive("[G1] one is found by its port, and only where it listens", function*() {
    const own = Number(new URL(yield* listening(prove)).port)
    yield* Effect.gen(function*() {
      yield* register(`http://0.0.0.0:${own}`)
      expect((yield* RunningGateways.at("0.0.0.0", own))?.url).toBe(`http://127.0.0.1:${own}`)
      expect(yield* RunningGateways.at("::1", own)).toBeUndefined()
    }).pipe(inFolder(yield* folder))
  })

  test.scopedLive.skipIf(!hasIPv6)(
    "[G1] one that listens at an address of version 6 is found by it, however that is written",
    function*() {
      const url = yield* listening(prove, undefined, "::1")
      const port = Number(new URL(url).port)
      yield* Effect.gen(function*() {
        yield* register(url)
        for (const host of ["::1", "[::1]", "::"]) expect((yield* RunningGateways.at(host, port))?.url).toBe(url)
      }).pipe(inFolder(yield* folder))
    }
  )

  it("[G1] is asked with its token, if it has one", () => {
    expect(RunningGateways.headersOf({ token })).toEqual({ authorization: "Bearer the-token-of-the-user" })
    expect(RunningGateways.headersOf({ token: null })).toEqual({})
  })

  test.scopedLive("[X6] a proof is asked for on a connection of its own, and given for a challenge that nobody can guess", function*() {
    let connections = 0
    const url = yield* listening((request, response) => {
      request.socket.setKeepAlive(true)
      prove(request, response)
    }, () => connections++)
    expect(yield* Effect.promise(() => Proof.isProven(url, secret))).toBe(true)
    expect(yield* Effect.promise(() => Proof.isProven(url, secret))).toBe(true)
    expect(connections).toBe(2)
    expect(yield* Effect.promise(() => Proof.isProven(url, SealedId.randomSecret()))).toBe(false)
    for (const nowhere of ["http://127.0.0.1:1", "no address"]) {
      expect(yield* Effect.promise(() => Proof.isProven(nowhere, secret))).toBe(false)
    }
    const answer = (challenge: string) => Proof.answer(secret, `${Proof.path}?challenge=${challenge}`)
    expect(answer("a".repeat(16))).toBeDefined()
    for (const challenge of ["", "a".repeat(15), "a".repeat(101), "a".repeat(1000), `${"a".repeat(20)}&b`]) {
      expect(answer(challenge)).toBeUndefined()
    }
    const challenge = `?challenge=${"a".repeat(20)}`
    expect(Proof.answer(secret, `${Proof.path}${challenge}`)).toBeDefined()
    for (const url of [Proof.path, `${Proof.path}#a${challenge}`, `${Proof.path}?a${challenge}`]) {
      expect(Proof.answer(secret, url)).toBeUndefined()
    }
    expect(Proof.answer(secret, `/${"x".repeat(200)}${challenge}`)).toBeUndefined()
  })

  test.scopedLive("[X1][X6] an answer as long as a proof, in whatever bytes, is no proof and ends nothing", function*() {
    for (const byte of [0x00, 0x41, 0xc3, 0xe9, 0xff]) {
      const url = yield* listening((_, response) => void response.end(Buffer.alloc(43, byte)))
      expect(yield* Effect.promise(() => Proof.isProven(url, secret))).toBe(false)
    }
  })

  test.scopedLive("[G1] a proof counts in however many pieces it comes, and not where it is cut off", function*() {
    const pieces = (isWhole: boolean) =>
      listening(({ socket, url = "" }, response) => {
        const proof = Proof.answer(secret, url) ?? ""
        response.write(proof.slice(0, 5), () => isWhole ? undefined : socket.destroy())
        if (isWhole) response.end(proof.slice(5))
      })
    for (const isWhole of [true, false]) {
      const url = yield* pieces(isWhole)
      expect(yield* Effect.promise(() => Proof.isProven(url, secret))).toBe(isWhole)
    }
  })
})
