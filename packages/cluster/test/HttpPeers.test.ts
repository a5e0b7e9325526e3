import { ReservedPort } from "@mcp-lifeline/testing"
import { Cause, Effect, Exit, Fiber, Redacted } from "effect"
import * as fc from "fast-check"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { header, signatureHeader } from "../src/hop/RequestProof.js"
import * as HttpPeers from "../src/HttpPeers.js"
import { LeaseRules } from "../src/LeaseRules.js"
import * as PeerAnswers from "../src/PeerAnswers.js"
import type { Answers, PeerError } from "../src/Peers.js"
import * as PeerServer from "./support/PeerServer.js"

const { key, otherKey, replica, signatureOf } = PeerServer
const { path } = PeerAnswers

const answering = (isGiven: boolean, asked: Array<ReadonlyArray<unknown>> = [], of = "b"): RequestListener => {
  const answers: Answers = {
    promise: (...given) => asked.push(["promise", ...given]) > 0 && isGiven,
    consent: (...given) => asked.push(["consent", ...given]) > 0 && isGiven
  }
  return PeerAnswers.handler({ keys: key, own: () => of, failed: () => {} }, answers)
}

type Scripted = (response: ServerResponse, request: IncomingMessage) => void

const scripted = (answer: Scripted): RequestListener => (request, response) => {
  request.resume().on("end", () => answer(response, request))
}

const signed = (response: ServerResponse, request: IncomingMessage, text: string, status = 200): void =>
  void response.writeHead(status, { [signatureHeader]: signatureOf(request, text) }).end(text)

const yes = "true"

const peers = HttpPeers.make({ key, timeout: "1 minute" })

const promised = (address: string, from = peers): Promise<boolean> =>
  Effect.runPromise(from.promise(replica(address), "a", 3))

const failure = async (address: string, from = peers): Promise<string> => {
  const exit = await Effect.runPromiseExit(from.promise(replica(address), "a", 3))
  if (Exit.isSuccess(exit)) throw new Error(`it answered ${exit.value}`)
  const error = Cause.failureOption(exit.cause)
  if (error._tag === "None") throw new Error(Cause.pretty(exit.cause))
  const { _tag, message }: PeerError = error.value
  expect(_tag).toBe("PeerError")
  for (const secret of [key, otherKey]) expect(message).not.toContain(String(Redacted.value(secret)))
  return message
}

const start = (address: string): string =>
  `the replica b at ${address} was asked for a promise not to end the lease of a, without success: `

afterEach(PeerServer.closeAll)

describe("a replica that is asked over HTTP", () => {
  it.each([true, false])("[D1] answers %s to what was asked", async (isGiven) => {
    const asked: Array<ReadonlyArray<unknown>> = []
    const to = replica(await PeerServer.listen(answering(isGiven, asked)))
    expect(await Effect.runPromise(peers.promise(to, "a", 3))).toBe(isGiven)
    expect(await Effect.runPromise(peers.consent(to, "c", 0))).toBe(isGiven)
    expect(asked).toEqual([["promise", "a", 3], ["consent", "c", 0]])
  })

  it("[D1] answers with its rules", async () => {
    const rules = new LeaseRules("b", { lease: 6000, margin: 1500, renewal: 1000, withoutStore: 60_000 })
    rules.saw(0, [{ id: "a", renewals: 3, witnesses: ["b"], hasEnded: false }])
    const answers: Answers = {
      promise: (from, renewals) => rules.promise(0, from, renewals),
      consent: (of, renewals) => rules.refuse(0, of, renewals)
    }
    const to = replica(
      await PeerServer.listen(PeerAnswers.handler({ keys: key, own: () => "b", failed: () => {} }, answers))
    )
    expect(await Effect.runPromise(peers.promise(to, "a", 3))).toBe(true)
    expect(await Effect.runPromise(peers.consent(to, "a", 3))).toBe(false)
  })

  it("[D1] is reached under a path, with and without a slash, and the key as bytes", async () => {
    const paths: Array<string | undefined> = []
    const answer = answering(true)
    const address = await PeerServer.listen((request, response) => {
      paths.push(request.url?.split("?")[0])
      // As the proxy of such an address does.
      request.url = request.url?.replace("/base", "")
      answer(request, response)
    })
    const bytes = HttpPeers.make({ key: Redacted.make(Buffer.from(String(Redacted.value(key)))) })
    for (const base of ["", "/", "/base", "/base/"]) expect(await promised(`${address}${base}`, bytes)).toBe(true)
    expect(paths).toEqual([path, path, `/base${path}`, `/base${path}`])
  })

  it("[D6] whose clock is wrong is asked again with its time, and later questions need no second try", async () => {
    let requests = 0
    const now = () => Date.now() + 3_600_000
    const answers: Answers = { promise: () => true, consent: () => false }
    const answer = PeerAnswers.handler({ keys: key, own: () => "b", failed: () => {}, now }, answers)
    const address = await PeerServer.listen((request, response) => {
      requests++
      answer(request, response)
    })
    const others = HttpPeers.make({ key })
    expect([await promised(address, others), requests]).toEqual([true, 2])
    expect([await promised(address, others), requests]).toEqual([true, 3])
  })

  it("[D5] is asked again on the connection that there is", async () => {
    const address = await PeerServer.listen(answering(true))
    let connections = 0
    PeerServer.servers[0]!.on("connection", () => connections++)
    for (let i = 0; i < 5; i++) await promised(address)
    expect(connections).toBe(1)
  })

  it("[X6] is believed with the certificate that it needs, and not without", async () => {
    const address = await PeerServer.listenSecurely(answering(true))
    expect(await promised(address, HttpPeers.make({ key, ssl: { ca: PeerServer.certificate } }))).toBe(true)
    expect(await failure(address)).toContain(`${start(address)}self-signed certificate`)
  })

  it("[X1] is not asked with options of TLS that are wrong", async () => {
    const address = await PeerServer.listenSecurely(answering(true))
    expect(await failure(address, HttpPeers.make({ key, ssl: { cert: "?", key: "?" } }))).toContain(start(address))
  })
})

describe("no answer of a replica is", () => {
  it("[X6] one to a question with another key", async () => {
    const asked: Array<ReadonlyArray<unknown>> = []
    const address = await PeerServer.listen(answering(true, asked))
    expect(await failure(address, HttpPeers.make({ key: otherKey })))
      .toBe(`${start(address)}it answered with the status 403; does it have another key?`)
    expect(asked).toEqual([])
  })

  it.each<[string, Scripted]>(
    [
      ["one without a signature", (response) => response.end(yes)],
      ["one with another key", (response, request) => {
        response.writeHead(200, { [signatureHeader]: signatureOf(request, yes, otherKey) }).end(yes)
      }],
      ["one with the key itself", (response) => {
        response.writeHead(200, { [signatureHeader]: PeerServer.signedWithout(key, yes) }).end(yes)
      }],
      ["one that was changed", (response, request) => {
        response.writeHead(200, { [signatureHeader]: signatureOf(request, "false") }).end(yes)
      }],
      ["the question itself", (response, request) => {
        const [, , , , signatures] = String(request.headers[header]).split(" ")
        response.writeHead(200, { [signatureHeader]: signatures }).end(yes)
      }],
      ["one whose signature is as long, and of other characters", (response) => {
        response.writeHead(200, { [signatureHeader]: "\u00e9".repeat(43) }).end(yes)
      }],
      ["one that is signed twice", (response, request) => {
        const signature = signatureOf(request, yes)
        response.writeHead(200, { [signatureHeader]: [signature, signature] }).end(yes)
      }],
      ["one of another replica", (response, request) => {
        response.writeHead(200, { [signatureHeader]: signatureOf(request, yes, key, "c") }).end(yes)
      }]
    ]
  )("[X6] %s", async (_, answer) => {
    const address = await PeerServer.listen(scripted(answer))
    expect(await failure(address))
      .toBe(`${start(address)}its answer is not signed with the key of this cluster for this question`)
  })

  it("[D1] that to an earlier question", async () => {
    const requests: Array<IncomingMessage> = []
    const address = await PeerServer.listen(scripted((response, request) => {
      requests.push(request)
      signed(response, requests[0]!, yes)
    }))
    expect(await promised(address)).toBe(true)
    expect(await failure(address))
      .toBe(`${start(address)}its answer is not signed with the key of this cluster for this question`)
    expect(new Set(requests.map(({ headers }) => headers[header])).size).toBe(2)
  })

  it("[D1] that of another replica at the same address", async () => {
    const asked: Array<ReadonlyArray<unknown>> = []
    const address = await PeerServer.listen(answering(true, asked, "c"))
    expect(await failure(address))
      .toBe(
        `${start(address)}it answered with the status 421; another replica is there now, or this one has a new lease`
      )
    expect(asked).toEqual([])
  })

  it("[D1] that of another replica that does not look whom a question is for", async () => {
    const address = await PeerServer.listen(
      scripted((response, request) =>
        void response.writeHead(200, { [signatureHeader]: signatureOf(request, yes, key, "c") }).end(yes)
      )
    )
    expect(await failure(address))
      .toBe(`${start(address)}its answer is not signed with the key of this cluster for this question`)
  })

  it.each(["", "yes", "[]", "1", "TRUE", "true\n", '{"answer":true}'])(
    "[X1] %s, though it is signed",
    async (text) => {
      const address = await PeerServer.listen(scripted((response, request) => signed(response, request, text)))
      expect(await failure(address)).toBe(`${start(address)}its answer has another form`)
    }
  )

  it.each([201, 204, 301, 302, 307, 308, 400, 404, 500])("[D1] one with the status %i", async (status) => {
    let requests = 0
    const address = await PeerServer.listen(scripted((response, request) => {
      requests++
      response.setHeader("Location", path)
      signed(response, request, yes, status)
    }))
    expect(await failure(address)).toContain(`${start(address)}it answered with the status ${status}`)
    expect(requests).toBe(1)
  })

  it("[X1] one that never ends", async () => {
    let isClosed = false
    const address = await PeerServer.listen(scripted((response) => {
      response.on("close", () => {
        isClosed = true
      })
      const write = (): boolean => !response.destroyed && response.write("a".repeat(1000), () => setImmediate(write))
      write()
    }))
    expect(await failure(address)).toBe(`${start(address)}its answer is longer than 1024 bytes`)
    await expect.poll(() => isClosed).toBe(true)
  })

  it("[X1] one that is longer than it may be, though it is signed", async () => {
    let length = 1024
    const address = await PeerServer.listen(
      scripted((response, request) => signed(response, request, yes.padEnd(length)))
    )
    expect(await failure(address)).toBe(`${start(address)}its answer has another form`)
    length++
    expect(await failure(address)).toBe(`${start(address)}its answer is longer than 1024 bytes`)
  })

  it("[X1] one that breaks off", async () => {
    const address = await PeerServer.listen(scripted((response) => {
      response.writeHead(200, { "Content-Length": 1000 })
      response.write(yes, () => response.destroy())
    }))
    expect(await failure(address)).toBe(`${start(address)}the connection ended before its answer`)
  })

  it.each<[string, (response: ServerResponse) => void]>([
    ["no answer at all", (response) => response.destroy()],
    ["something else than HTTP", (response) => response.socket?.end("220 mail.example.com ESMTP\r\n")],
    ["another protocol", (response) => {
      response.socket?.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhello")
    }],
    ["headers without an end", (response) => {
      const { socket } = response
      const write = (): boolean =>
        socket?.destroyed === false && socket.write(`a: ${"b".repeat(1000)}\r\n`, () => setImmediate(write))
      socket?.write("HTTP/1.1 200 OK\r\n", write)
    }]
  ])("[X1] %s", async (_, answer) => {
    const address = await PeerServer.listen(scripted((response) => answer(response)))
    expect(await failure(address)).toContain(start(address))
  })

  it("[X1] what anybody sends", async () => {
    let bytes = Buffer.alloc(0)
    const address = await PeerServer.listen(scripted((response) => void response.socket?.end(bytes)))
    const head = fc.tuple(
      fc.constantFrom("HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 200\r\n", "HTTP/1.1 ", ""),
      fc.constantFrom("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", `${signatureHeader}: \r\n`, ""),
      fc.constantFrom("\r\n", "\n\n", "")
    ).map((parts) => Buffer.from(parts.join("")))
    const answer = fc.tuple(head, fc.uint8Array({ maxLength: 3000 })).map((parts) => Buffer.concat(parts))
    await fc.assert(fc.asyncProperty(answer, async (one) => {
      bytes = one
      expect(await failure(address)).toContain(start(address))
    }))
  })
})

describe("a question", () => {
  it("[D6] has a time limit", async () => {
    let isClosed = false
    const address = await PeerServer.listen(scripted((response) =>
      void response.on("close", () => {
        isClosed = true
      })
    ))
    expect(await failure(address, HttpPeers.make({ key, timeout: 50 }))).toBe(
      `${start(address)}no answer came within 50ms`
    )
    await expect.poll(() => isClosed).toBe(true)
  })

  it("[D6] ends when nobody waits for its answer any more", async () => {
    let isClosed = false
    let hasArrived = false
    const address = await PeerServer.listen(scripted((response) => {
      response.on("close", () => {
        isClosed = true
      })
      hasArrived = true
    }))
    const fiber = Effect.runFork(peers.promise(replica(address), "a", 3))
    await expect.poll(() => hasArrived).toBe(true)
    expect(isClosed).toBe(false)
    await Effect.runPromise(Fiber.interrupt(fiber))
    await expect.poll(() => isClosed).toBe(true)
  })

  it("[D6] fails where nobody listens", async () => {
    const reserved = await ReservedPort.open()
    const address = `http://127.0.0.1:${reserved.port}`
    const message = await failure(address)
    await reserved[Symbol.asyncDispose]()
    expect(message).toBe(`${start(address)}connect ECONNREFUSED 127.0.0.1:${reserved.port}`)
  })

  it.each(["", "nonsense", "ftp://127.0.0.1", "http://", "file:///etc/hosts", "/\u001b[2J\n"])(
    "[X1] fails at the address %j",
    async (address) => {
      expect(await failure(address)).toBe(
        `${start(JSON.stringify(address))}its address is no URL of http: or https:`
      )
    }
  )

  it("[X3] fails with a message of one line, without user and password", async () => {
    const address = (await PeerServer.listen(scripted((response) => response.destroy()))).replace(
      "//",
      "//user:word@"
    )
    const exit = await Effect.runPromise(Effect.flip(peers.consent(replica(address, "b\u009b\n"), "a", 3)))
    expect(exit.message).toMatch(
      /^the replica b\?\? at http:\/\/127\.0\.0\.1:\d+ was asked for consent to the end of the lease of a, without success: /
    )
    expect(exit.message).toMatch(/^[ -~]+$/)
    expect(exit.message).not.toMatch(/user|word/)
    expect(await failure("ftp://user:word@127.0.0.1")).toContain(start('"127.0.0.1"'))
  })

  it("[X6] needs a key that nobody guesses", () => {
    const short = (bytes: number) => Redacted.make("\u00e9".repeat(bytes / 2))
    expect(() => HttpPeers.make({ key: short(0) })).toThrow(
      /^the key of the cluster has 0 bytes, and needs at least 32/
    )
    expect(() => HttpPeers.make({ key: short(30) })).toThrow(RangeError)
    expect(() => HttpPeers.make({ key: short(32) })).not.toThrow()
    const answers: Answers = { promise: () => true, consent: () => true }
    expect(() => PeerAnswers.handler({ keys: short(30), own: () => "b", failed: () => {} }, answers)).toThrow(
      RangeError
    )
  })
})
