import * as fc from "fast-check"
import { METHODS, type RequestListener } from "node:http"
import { connect } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { bySize } from "../../testing/test/support/bySize.js"
import { LeaseRules } from "../src/LeaseRules.js"
import * as PeerAnswers from "../src/PeerAnswers.js"
import { maxQuestion, signatureHeader, Signatures } from "../src/PeerMessages.js"
import * as PeerServer from "./support/PeerServer.js"

const { exchange, key, otherKey, question, request, signed, statusOf } = PeerServer

const asked: Array<ReadonlyArray<unknown>> = []
const noted = (what: string) => (...given: ReadonlyArray<unknown>) => asked.push([what, ...given]) > 0

const handler = PeerAnswers.handler(
  key,
  (id) => id === "b" ? { promise: noted("promise"), consent: noted("consent") } : undefined
)

const text = JSON.stringify(question)

const changed = (fields: object): string => JSON.stringify({ ...question, ...fields })

const livesOn = async (address: string): Promise<void> => {
  expect(asked).toEqual([])
  expect(statusOf(await exchange(address, request(text)))).toBe(200)
  expect(asked.splice(0)).toEqual([["promise", "a", 3]])
}

const listen = (listener: RequestListener = handler, options = {}): Promise<string> =>
  PeerServer.listen(listener, options)

afterEach(() => {
  asked.length = 0
  PeerServer.closeAll()
})

describe("a replica that answers", () => {
  it("[D1] signs its answer for the question", async () => {
    const answer = await exchange(await listen(), request(text))
    const body = '{"from":"b","answer":true}'
    expect(statusOf(answer)).toBe(200)
    expect(answer.split("\r\n")).toContain(
      `${signatureHeader}: ${new Signatures(key).ofAnswer(question.nonce, Buffer.from(body))}`
    )
    expect(answer.split("\r\n\r\n")[1]).toBe(body)
  })

  it("[D1] is understood by replicas of every version", () => {
    const signatures = new Signatures(key)
    expect(signatures.ofQuestion(Buffer.from(text))).toBe("zwOI2jJ_PP2CGsmhryTqlWdyWLmMzsW1frAaopqx_SA")
    expect(signatures.ofAnswer(question.nonce, Buffer.from('{"from":"b","answer":true}'))).toBe(
      "k8dsrDBfhMammUT4eoGEzoMjL4LHB8vdoacJmY4QXTM"
    )
  })

  it("[D1] is not the replica of another id", async () => {
    const address = await listen()
    expect(statusOf(await exchange(address, request(changed({ to: "c" }))))).toBe(409)
    await livesOn(address)
  })

  it.each<[string, string | undefined]>([
    ["no signature", undefined],
    ["an empty one", ""],
    ["one of another text", signed(changed({ renewals: 4 }))],
    ["one with another key", new Signatures(otherKey).ofQuestion(Buffer.from(text))],
    ["one with the key itself", PeerServer.signedWithout(key, text)],
    ["one of an answer", new Signatures(key).ofAnswer(question.nonce, Buffer.from(text))],
    ["a part of it", signed(text).slice(0, 42)],
    ["one that is longer", `${signed(text)}A`],
    ["one that decodes to the same bytes", `${signed(text)}=`],
    ["one as long, of other characters", "\u00e9".repeat(43)],
    ["it, twice", `${signed(text)}\r\n${signatureHeader}: ${signed(text)}`]
  ])("[X6] says nothing to a question with %s", async (_, signature) => {
    const address = await listen()
    const answer = await exchange(address, request(text, { headers: { [signatureHeader]: signature } }))
    expect(statusOf(answer)).toBe(403)
    expect(answer).toMatch(
      /^HTTP\/1\.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\nDate: [^\r]*\r\n\r\n$/
    )
    await livesOn(address)
  })

  it("[X6] does not say to strangers which replica it is", async () => {
    const address = await listen()
    for (const to of ["b", "c"]) {
      const body = changed({ to })
      const headers = { [signatureHeader]: new Signatures(otherKey).ofQuestion(Buffer.from(body)) }
      expect(statusOf(await exchange(address, request(body, { headers })))).toBe(403)
    }
    expect(asked).toEqual([])
  })

  it.each([
    "",
    "?",
    "null",
    "[]",
    "{}",
    "[".repeat(maxQuestion),
    changed({ ask: "toString" }),
    changed({ ask: "__proto__" }),
    changed({ ask: undefined }),
    changed({ to: 1 }),
    changed({ to: "" }),
    changed({ to: "b".repeat(101) }),
    changed({ about: null }),
    changed({ about: "" }),
    changed({ about: "a".repeat(101) }),
    changed({ renewals: -1 }),
    changed({ renewals: 0.5 }),
    changed({ renewals: 2 ** 53 }),
    changed({ renewals: "3" }),
    changed({ nonce: "n".repeat(21) }),
    changed({ nonce: "n".repeat(23) }),
    changed({ nonce: `${"n".repeat(21)}\u0000` }),
    changed({ nonce: undefined })
  ])("[X1] refuses the question %s, though it is signed", async (body) => {
    const address = await listen()
    expect(statusOf(await exchange(address, request(body)))).toBe(400)
    await livesOn(address)
  })

  it("[X1] refuses other methods", async () => {
    const address = await listen()
    for (const method of METHODS) {
      if (method === "POST" || method === "CONNECT") continue
      const answer = await exchange(address, request(text, { method }))
      expect(`${method} ${statusOf(answer)}`).toBe(`${method} 405`)
      expect(answer.split("\r\n")).toContain("Allow: POST")
    }
    await livesOn(address)
  })

  it("[X1] reads no body that is too long, or whose length is unknown", async () => {
    let isRead = false
    const address = await listen((request, response) => {
      handler(request, response)
      isRead ||= request.listenerCount("data") > 0
    }, { insecureHTTPParser: true })
    const long = text + " ".repeat(maxQuestion + 1 - text.length)
    const chunked = { "Transfer-Encoding": "chunked" }
    const none = { "Content-Length": undefined }
    expect(statusOf(await exchange(address, request(long)))).toBe(413)
    expect(statusOf(await exchange(address, request("", { headers: { "Content-Length": "99999999999999999999" } }))))
      .toBeOneOf([400, 413])
    expect(statusOf(await exchange(address, request("0\r\n\r\n", { headers: { ...chunked, ...none } })))).toBe(411)
    expect(statusOf(await exchange(address, request("0\r\n\r\n", { headers: chunked })))).toBe(411)
    expect(statusOf(await exchange(address, request("", { headers: none })))).toBe(411)
    expect(statusOf(await exchange(address, request(text, { headers: { [signatureHeader]: undefined } })))).toBe(403)
    expect(isRead).toBe(false)
    expect(statusOf(await exchange(address, request(long.slice(0, maxQuestion))))).toBe(200)
    expect(isRead).toBe(true)
  })

  it("[X1] closes the connection of a body that it does not read, while it is still sent", async () => {
    const address = await listen()
    const socket = connect(Number(new URL(address).port), "127.0.0.1")
    let answer = ""
    socket.on("data", (data: Buffer) => {
      answer += data.toString()
    })
    socket.on("error", () => undefined)
    const closed = new Promise((resolve) => socket.on("close", resolve))
    socket.write(request("", { headers: { "Content-Length": "1000000000" } }))
    await closed
    expect(statusOf(answer)).toBe(413)
  })

  it("[X1] survives those who leave in the middle of a question", async () => {
    const address = await listen()
    const whole = request(text)
    for (let length = 1; length < whole.length; length += 7) await exchange(address, whole.subarray(0, length))
    await livesOn(address)
  })

  it("[X1] survives what fails behind it", async () => {
    const address = await listen(PeerAnswers.handler(key, () => {
      throw new Error("a secret")
    }))
    const answer = await exchange(address, request(text))
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain("secret")
  })

  it("[X1] refuses whatever else is sent, and lives on", async () => {
    const address = await listen()
    const header = fc.oneof(fc.string({ unit: "binary" }), fc.string()).map((one) => one.replace(/[\r\n]/g, ""))
    const headers = fc.dictionary(
      fc.constantFrom("Content-Length", "Transfer-Encoding", "Expect", "Connection", signatureHeader, "Host", "a"),
      fc.oneof(header, fc.constantFrom("0", "-1", "1e3", "chunked", "100-continue", "close", signed("")))
    )
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json(),
      fc.nat(3 * maxQuestion).map((length) => "a".repeat(length)),
      fc.record({ ask: fc.jsonValue(), to: fc.jsonValue(), about: fc.jsonValue(), renewals: fc.jsonValue() }).map((
        one
      ) => changed({ ...one, nonce: null }))
    )
    const method = fc.constantFrom("POST", "GET", "PUT", "post", "\u0000", "")
    const sent = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(body, headers, method).map(([one, headers, method]) => request(one, { headers, method })),
      fc.tuple(fc.nat(text.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
        const bytes = Buffer.from(text)
        bytes[at]! ^= by
        return request(bytes, { headers: { [signatureHeader]: signed(text) } })
      })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 5, maxLength: 10 }), async (all) => {
        const statuses = await Promise.all(all.map(async (one) => statusOf(await exchange(address, one))))
        for (const status of statuses) expect(status).toBeOneOf([0, 100, 400, 403, 405, 411, 413, 417, 431])
        expect(asked).toEqual([])
      }),
      { numRuns: bySize(30, 500) }
    )
    await livesOn(address)
  })

  it("[X1] survives errors of its streams, and an answer that has begun", async () => {
    const thrown: Array<unknown> = []
    const address = await listen((request, response) => {
      try {
        if (request.url === "/begun") response.writeHead(200).flushHeaders()
        handler(request, response)
        request.emit("error", new Error("of the request"))
        response.emit("error", new Error("of the response"))
      } catch (error) {
        thrown.push(error)
      }
    })
    await exchange(address, request(text, { method: "GET", url: "/begun" }))
    expect(thrown).toEqual([])
    await livesOn(address)
    expect(thrown).toEqual([])
  })

  it("[X1] survives any two objects that a server may hand over", () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.anything()), (headers) => {
      const statuses: Array<number> = []
      const response = {
        on: () => undefined,
        writeHead: (status: number) => statuses.push(status),
        end: () => undefined
      }
      const request = { on: () => undefined, method: "POST", headers: { ...headers, [signatureHeader]: "" } }
      handler(request as never, response as never)
      expect(statuses.length).toBeLessThan(2)
    }))
  })
})

describe("a question that is sent again", () => {
  it("[D1] is answered so that the answer before stays true", () => {
    type Step =
      | { readonly do: "wait"; readonly millis: number }
      | { readonly do: "promise" | "consent"; readonly renewals: number }
      | { readonly do: "again"; readonly which: number }
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constant("wait" as const), millis: fc.integer({ min: 1, max: 7000 }) }),
      fc.record({ do: fc.constantFrom("promise" as const, "consent" as const), renewals: fc.nat(5) }),
      fc.record({ do: fc.constant("again" as const), which: fc.nat(20) })
    )
    const lease = 6000
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const rules = new LeaseRules("b", { lease, margin: 1500, renewal: 1000, withoutStore: 60_000 })
      rules.saw(0, [{ id: "a", renewals: 5, witnesses: ["b"], hasEnded: false }])
      const questions: Array<Exclude<Step, { readonly do: "wait" | "again" }>> = []
      const broken: Array<string> = []
      let now = 0
      let promised = -Infinity
      let refused = -1
      for (const one of steps) {
        if (one.do === "wait") now += one.millis
        if (one.do === "promise" || one.do === "consent") questions.push(one)
        const asked = one.do === "again" ? questions[one.which % questions.length] : one
        if (asked?.do === "promise" && rules.promise(now, "a", asked.renewals)) {
          if (asked.renewals <= refused) broken.push(`at ${now} it promises after its consent to the end`)
          promised = now
        }
        if (asked?.do === "consent" && rules.refuse(now, "a", asked.renewals)) {
          if (now < promised + lease) broken.push(`at ${now} it consents after its promise at ${promised}`)
          refused = Math.max(refused, asked.renewals)
        }
        if (now < promised + lease && rules.ending(now, "a") !== undefined) broken.push(`at ${now} it ends the lease`)
      }
      expect(broken).toEqual([])
    }))
  })
})
