import { Redacted } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { send } from "../../http-server/test/support/RawEndpoint.js"
import { allDerived } from "../src/ClusterKey.js"
import * as ReplicaRequests from "../src/hop/ReplicaRequests.js"
import * as RequestProof from "../src/hop/RequestProof.js"
import { SeenRequests } from "../src/hop/SeenRequests.js"
import * as PeerServer from "./support/PeerServer.js"

const servers: Array<ReturnType<typeof createServer>> = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

const receiver = async (id: string, later = 0) => {
  const taken: Array<string> = []
  const errors: Array<unknown> = []
  const requests = ReplicaRequests.make({
    keys: PeerServer.key,
    own: () => id,
    failed: (error) => errors.push(error),
    now: () => Date.now() + later
  })
  const answer = (response: import("node:http").ServerResponse) => (admitted: IncomingMessage): void => {
    if (admitted.url === "/fails") throw new Error("it fails")
    let body = ""
    admitted.on("data", (chunk: Buffer) => {
      body += chunk.toString()
    })
    admitted.on("end", () => {
      taken.push(`${admitted.method} ${admitted.url} ${body}`)
      response.end(body)
    })
  }
  const server = createServer((request, response) => requests.admit(request, response, answer(response)))
  servers.push(server)
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, errors, id, taken }
}

const headers = { "mcp-session-id": "one", "lifeline-caller": "ann", cookie: "a=b" }
const request = { target: "/cluster/sessions?a=b", headers, body: "transfer 5" }

/** What somebody on the way, or who has recorded a request, may make of it. */
type Forged = Partial<Record<"method" | "target" | "body" | "to", string>>
const forgeries: ReadonlyArray<
  readonly [what: string, status: number, forged: Forged, headers: Record<string, string>]
> = [
  ["another method", 403, { method: "PUT" }, {}],
  ["another path", 403, { target: "/cluster/gateway/api/call" }, {}],
  ["another query", 403, { target: "/cluster/sessions?a=c" }, {}],
  ["another body", 403, { body: "transfer 9" }, {}],
  ["no body", 403, { body: "" }, {}],
  ["a longer body", 403, { body: "transfer 55" }, {}],
  ["another session", 403, {}, { "mcp-session-id": "two" }],
  ["another caller", 403, {}, { "lifeline-caller": "eve" }],
  ["another cookie", 403, {}, { cookie: "a=c" }],
  ["a mark that was not there", 403, {}, { "lifeline-repeated": "1" }],
  ["a header that only replicas send, and was not there", 403, {}, { "lifeline-origin": "http://evil.example" }],
  ["another receiver", 421, { to: "b" }, {}]
]

describe("a request between replicas", () => {
  it.each(forgeries)(
    "[D13:real] with %s is not taken (%i)",
    async (_what, status, { body = request.body, method = "POST", target = request.target, to = "a" }, others) => {
      const a = await receiver("a")
      const signed = PeerServer.signedFor(to, request)
      const answer = await send(a.address + target, method, { ...signed, ...others }, body)
      expect([answer.status, a.taken]).toEqual([status, []])
    }
  )

  it.each(["to", "time", "nonce", "digest", "signatures"] as const)(
    "[D13:real] with another %s in its proof is not taken",
    async (field) => {
      const a = await receiver("a")
      const signed = PeerServer.signedFor("b", request)
      const proof = RequestProof.decode(signed[RequestProof.header])!
      const other = field === "to" ? "a" : field === "time" ? proof.time + 1 : [...proof[field]].toReversed().join("")
      const forged = RequestProof.encode({ ...proof, [field]: other })
      const answer = await send(
        a.address + request.target,
        "POST",
        { ...signed, [RequestProof.header]: forged },
        request.body
      )
      expect([answer.status, a.taken]).toEqual([403, []])
    }
  )

  it("[D13:real] is taken once: whoever has recorded it can do nothing with it", async () => {
    const a = await receiver("a")
    const signed = PeerServer.signedFor("a", request)
    const statuses = []
    for (let i = 0; i < 3; i++) {
      statuses.push((await send(a.address + request.target, "POST", signed, request.body)).status)
    }
    expect([statuses, a.taken]).toEqual([[200, 403, 403], ["POST /cluster/sessions?a=b transfer 5"]])
  })

  it.each([
    [-35_000, 401],
    [35_000, 401],
    [-25_000, 200],
    [25_000, 200]
  ])("[D13:real] that is signed %i ms from now gets the status %i", async (later, status) => {
    const a = await receiver("a")
    const answer = await send(
      a.address + request.target,
      "POST",
      PeerServer.signedFor("a", { ...request, later }),
      request.body
    )
    expect([answer.status, a.taken.length]).toEqual([status, status === 200 ? 1 : 0])
    expect(answer.headers["lifeline-not-taken"]).toBe(status === 200 ? undefined : "1")
  })

  it.each([-3_600_000, 3_600_000])(
    "[D1][D13:real] is taken although the clock of the sender differs by %i ms: it learns the time from the receiver",
    async (later) => {
      const a = await receiver("a")
      const sender = ReplicaRequests.make({
        keys: PeerServer.key,
        own: () => "b",
        failed: () => {},
        now: () => Date.now() + later
      }).fetchFrom(a)
      for (const body of ["one", Buffer.from("two")]) {
        const response = await sender(`${a.address}/x`, { method: "POST", body })
        expect([response.status, await response.text()]).toEqual([200, String(body)])
      }
      expect(a.taken).toEqual(["POST /x one", "POST /x two"])
      await expect(sender(`${a.address}/x`, { method: "POST", body: new ReadableStream() })).rejects.toThrow("signed")
    }
  )

  it("[D13] believes no time that was not signed for this very request", () => {
    const keys = allDerived(PeerServer.key, "info")
    const foreign = allDerived(PeerServer.otherKey, "info")
    const asked = { to: "a", nonce: "n".repeat(22), time: 1, digest: "", signatures: "" }
    const said = RequestProof.encodeTime(keys, asked, 5)
    expect(RequestProof.decodeTime(keys, asked, said)).toBe(5)
    for (
      const [by, to, value] of [
        [foreign, asked, said],
        [keys, { ...asked, to: "b" }, said],
        [keys, { ...asked, nonce: "m".repeat(22) }, said],
        [keys, asked, said.replace("5", "6")],
        [keys, asked, "5"],
        [keys, asked, undefined]
      ] as const
    ) expect(RequestProof.decodeTime(by, to, value)).toBeUndefined()
  })

  it("[X6:real] of which something fails gets the status 500, and the program goes on", async () => {
    const a = await receiver("a")
    const failing = PeerServer.signedFor("a", { target: "/fails", body: "x" })
    expect((await send(`${a.address}/fails`, "POST", failing, "x")).status).toBe(500)
    expect(a.errors).toEqual([new Error("it fails")])
  })

  it("[X6] with a malformed text as its proof has none", () => {
    const rest = `1 ${"n".repeat(22)} ${"d".repeat(43)} ${"s".repeat(43)}`
    expect(RequestProof.decode(`a ${rest}`)).toMatchObject({ to: "a", time: 1 })
    for (
      const text of [
        undefined,
        "",
        "a",
        `%ff ${rest}`,
        `a -${rest}`,
        `${"a".repeat(301)} ${rest}`,
        `a ${rest}${"s".repeat(999)}`
      ]
    ) {
      expect([text, RequestProof.decode(text)]).toEqual([text, undefined])
    }
  })

  it("[D13] is remembered for as long as it could be sent again, and then forgotten", () => {
    const seen = new SeenRequests(60)
    expect([seen.add("a", 0), seen.add("a", 0), seen.add("b", 59), seen.add("a", 60), seen.add("b", 118)]).toEqual([
      true,
      false,
      true,
      false,
      false
    ])
    expect(seen.add("a", 200)).toBe(true)
  })

  it("[X6] needs a long key", () => {
    const options = { keys: Redacted.make("short"), own: () => "a", failed: () => {} }
    expect(() => ReplicaRequests.make(options)).toThrow(RangeError)
  })
})
