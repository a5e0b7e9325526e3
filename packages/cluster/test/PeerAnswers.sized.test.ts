import * as fc from "fast-check"
import { METHODS, type RequestListener } from "node:http"
import { connect } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { bySize } from "../../testing/test/support/bySize.js"
import { allDerived } from "../src/ClusterKey.js"
import * as RequestProof from "../src/hop/RequestProof.js"
import { LeaseRules } from "../src/LeaseRules.js"
import * as PeerAnswers from "../src/PeerAnswers.js"
import * as PeerServer from "./support/PeerServer.js"

const { exchange, key, otherKey, proofOf, question, request, statusOf } = PeerServer

const asked: Array<ReadonlyArray<unknown>> = []
const noted = (what: string) => (...given: ReadonlyArray<unknown>) => asked.push([what, ...given]) > 0

const errors: Array<unknown> = []
const options = { keys: key, own: () => "b", failed: (error: unknown) => errors.push(error) }
const handler = PeerAnswers.handler(options, { promise: noted("promise"), consent: noted("consent") })

const target = question()

/** The proof of the question, with another field. */
const changed = (field: number, value: string): string => proofOf(target).split(" ").with(field, value).join(" ")

const withSignature = (signature: string): string => changed(4, signature)

const livesOn = async (address: string): Promise<void> => {
  expect(asked).toEqual([])
  expect(statusOf(await exchange(address, request(target)))).toBe(200)
  expect(asked.splice(0)).toEqual([["promise", "a", 3]])
}

const listen = (listener: RequestListener = handler, options = {}): Promise<string> =>
  PeerServer.listen(listener, options)

afterEach(() => {
  asked.length = 0
  errors.length = 0
  PeerServer.closeAll()
})

describe("a replica that answers", () => {
  it("[D1] signs its answer for the question", async () => {
    const sent = request(target)
    const answer = await exchange(await listen(), sent)
    const headers = {
      [RequestProof.header]: /^lifeline-authorization: (.*)$/m.exec(sent.toString().replaceAll("\r", ""))![1]
    }
    expect(statusOf(answer)).toBe(200)
    expect(answer.split("\r\n")).toContain(
      `${RequestProof.signatureHeader}: ${PeerServer.signatureOf({ headers }, "true")}`
    )
    expect(answer.split("\r\n\r\n")[1]).toBe("true")
  })

  it("[D1] is understood by replicas of every version", () => {
    const keys = allDerived(key, "mcp-lifeline cluster: questions of replicas and their answers, form 2")
    const proof = { to: "b", time: 1, nonce: "n".repeat(22), digest: RequestProof.digestOf(Buffer.alloc(0)) }
    const { signatures } = RequestProof.sign(keys, { method: "POST", target, headers: {} }, proof)
    expect(target).toBe("/cluster/ask?ask=promise&about=a&renewals=3")
    expect(signatures).toBe("Fpz0Al68_9-o07OWDIhRrCJqhNycsZiafWufa9sAsDo")
    expect(RequestProof.signAnswer(keys, proof, "true")).toBe("KYtgmii3iLdJR5eODsVY1_Meel6kLMqfT6NvUWBNdJQ")
  })

  it("[D1] is not the replica of another id", async () => {
    const address = await listen()
    expect(statusOf(await exchange(address, request(target, { to: "c" })))).toBe(421)
    await livesOn(address)
  })

  it.each<[string, string | undefined]>([
    ["no signature", undefined],
    ["an empty one", ""],
    ["one of another question", proofOf(question({ renewals: 4 }))],
    ["one of another method", proofOf(target, { method: "GET" })],
    ["one with another key", proofOf(target, { key: otherKey })],
    ["one with the key for other requests", proofOf(target, { purpose: "replica" })],
    ["one with the key itself", withSignature(PeerServer.signedWithout(key, target))],
    [
      "one of an answer",
      withSignature(PeerServer.signatureOf({ headers: { [RequestProof.header]: proofOf(target) } }, target))
    ],
    ["a part of it", proofOf(target).slice(0, -1)],
    ["one that is longer", `${proofOf(target)}A`],
    ["one that decodes to the same bytes", `${proofOf(target)}=`],
    ["one as long, of other characters", withSignature("\u00e9".repeat(43))],
    ["it, twice", `${proofOf(target)}\r\n${RequestProof.header}: ${proofOf(target)}`],
    ["no receiver", proofOf(target, { to: "" })],
    ["a receiver with a long name", proofOf(target, { to: "b".repeat(301) })],
    ["a short number", changed(2, "n".repeat(21))],
    ["a long number", changed(2, "n".repeat(23))],
    ["another number", changed(2, "n".repeat(22))],
    ["another time", changed(1, "1")]
  ])("[X6] says nothing to a question with %s", async (_, proof) => {
    const address = await listen()
    const answer = await exchange(address, request(target, { headers: { [RequestProof.header]: proof } }))
    expect(statusOf(answer)).toBe(403)
    expect(answer).toContain("Connection: close\r\n")
    expect(answer.split("\r\n\r\n")[1]).toBe(
      '{"jsonrpc":"2.0","error":{"code":-32000,"message":"This is for other replicas of the cluster"},"id":null}'
    )
    await livesOn(address)
  })

  it("[D13] answers a question once", async () => {
    const address = await listen()
    const sent = request(target)
    expect(statusOf(await exchange(address, sent))).toBe(200)
    expect(statusOf(await exchange(address, sent))).toBe(403)
    expect(asked.splice(0)).toHaveLength(1)
  })

  it("[X6] does not say to strangers which replica it is", async () => {
    const address = await listen()
    for (const to of ["b", "c"]) {
      const headers = { [RequestProof.header]: proofOf(target, { to, key: otherKey }) }
      expect(statusOf(await exchange(address, request(target, { headers })))).toBe(403)
    }
    expect(asked).toEqual([])
  })

  it.each([
    PeerAnswers.path,
    `${PeerAnswers.path}?`,
    `${PeerAnswers.path}?${"[".repeat(4096)}`,
    `${PeerAnswers.path}?{}`,
    `http://${PeerAnswers.path}`,
    question({ ask: "toString" }),
    question({ ask: "__proto__" }),
    question({ ask: undefined }),
    question({ about: undefined }),
    question({ about: "" }),
    question({ about: "a".repeat(101) }),
    question({ renewals: -1 }),
    question({ renewals: 0.5 }),
    question({ renewals: 2 ** 53 }),
    question({ renewals: "Infinity" }),
    question({ renewals: "three" }),
    question({ renewals: "" }),
    question({ renewals: undefined })
  ])("[X1] refuses the question %s, though it is signed", async (target) => {
    const address = await listen()
    expect(statusOf(await exchange(address, request(target)))).toBe(400)
    await livesOn(address)
  })

  it("[X1] refuses other methods than the one that is signed", async () => {
    const address = await listen()
    for (const method of METHODS) {
      if (method === "POST" || method === "CONNECT") continue
      const answer = await exchange(
        address,
        request(target, { method, headers: { [RequestProof.header]: proofOf(target) } })
      )
      expect(`${method} ${statusOf(answer)}`).toBe(`${method} 403`)
    }
    await livesOn(address)
  })

  it("[X1] reads no body of strangers, and none whose length was not signed", async () => {
    let isRead = false
    const address = await listen((request, response) => {
      handler(request, response)
      isRead ||= request.listenerCount("data") > 0
    }, { insecureHTTPParser: true })
    const chunked = { "Transfer-Encoding": "chunked" }
    const none = { "Content-Length": undefined }
    const unsigned = { [RequestProof.header]: undefined }
    const long = "a".repeat(5000)
    expect(statusOf(await exchange(address, request(target, { body: long, headers: unsigned })))).toBe(403)
    expect(
      statusOf(
        await exchange(address, request(target, { headers: { ...unsigned, "Content-Length": "99999999999999999999" } }))
      )
    )
      .toBeOneOf([400, 403])
    expect(statusOf(await exchange(address, request(target, { headers: { ...unsigned, ...chunked, ...none } })))).toBe(
      403
    )
    expect(statusOf(await exchange(address, request(target, { headers: { ...unsigned, ...none } })))).toBe(403)
    expect(isRead).toBe(false)
    const other = { [RequestProof.header]: proofOf(target) }
    expect(statusOf(await exchange(address, request(target, { body: long, headers: other })))).toBe(403)
    expect(asked).toEqual([])
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
    socket.write(request(target, { headers: { "Content-Length": "1000000000", [RequestProof.header]: undefined } }))
    await closed
    expect(statusOf(answer)).toBe(403)
  })

  it("[X1] survives those who leave in the middle of a question", async () => {
    const address = await listen()
    const whole = request(target)
    for (let length = 1; length < whole.length; length += 7) await exchange(address, whole.subarray(0, length))
    await livesOn(address)
  })

  it("[X1] survives what fails behind it", async () => {
    const fails = (): boolean => {
      throw new Error("a secret")
    }
    const address = await listen(PeerAnswers.handler(options, { promise: fails, consent: fails }))
    const answer = await exchange(address, request(target))
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain("secret")
    expect(errors).toEqual([new Error("a secret")])
  })

  it("[X1] refuses whatever else is sent, and lives on", async () => {
    const address = await listen()
    const header = fc.oneof(fc.string({ unit: "binary" }), fc.string()).map((one) => one.replace(/[\r\n]/g, ""))
    const headers = fc.dictionary(
      fc.constantFrom("Content-Length", "Transfer-Encoding", "Expect", "Connection", RequestProof.header, "Host", "a"),
      fc.oneof(header, fc.constantFrom("0", "-1", "1e3", "chunked", "100-continue", "close", proofOf("")))
    )
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json(),
      fc.nat(12_000).map((length) => "a".repeat(length))
    )
    const other = fc.oneof(
      fc.webQueryParameters().map((query) => `${PeerAnswers.path}?${query}`),
      fc.constantFrom("/", "*", PeerAnswers.path)
    )
    const method = fc.constantFrom("POST", "GET", "PUT", "post", "\u0000", "")
    const sent = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(other, body, headers, method).map(([target, body, headers, method]) =>
        request(target, { body, headers, method })
      ),
      fc.tuple(fc.nat(target.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
        const bytes = Buffer.from(target)
        bytes[at]! ^= by
        return request(bytes.toString("latin1"), { headers: { [RequestProof.header]: proofOf(target) } })
      })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 5, maxLength: 10 }), async (all) => {
        const statuses = await Promise.all(all.map(async (one) => statusOf(await exchange(address, one))))
        for (const status of statuses) expect(status).toBeOneOf([0, 100, 400, 403, 413, 417, 431])
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
        if (request.method === "GET") response.writeHead(200).flushHeaders()
        handler(request, response)
        request.emit("error", new Error("of the request"))
        response.emit("error", new Error("of the response"))
      } catch (error) {
        thrown.push(error)
      }
    })
    await exchange(address, request(target, { method: "GET" }))
    expect(asked.splice(0)).toHaveLength(1)
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
      const request = { on: () => undefined, method: "POST", headers: { ...headers, [RequestProof.header]: "" } }
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
