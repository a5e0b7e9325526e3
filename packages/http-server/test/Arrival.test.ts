import type { IncomingMessage } from "node:http"
import type { BlockList } from "node:net"
import { describe, expect, it } from "vitest"
import * as Arrival from "../src/Arrival.js"
import * as TrustedProxies from "../src/TrustedProxies.js"

const proxies = (text: string) => TrustedProxies.parse(text) as BlockList

const from = (remoteAddress: string, headers: Record<string, string> = {}) =>
  ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage

const local = proxies("127.0.0.1,10.0.0.0/8,::1")

const found = (headers: Record<string, string>, peer = "127.0.0.1") => Arrival.find(from(peer, headers), local)

describe("how a request has come", () => {
  it("[G26:unit] is what a proxy says, if the proxy is trusted, and otherwise what the socket says", () => {
    const headers = { "x-forwarded-for": "203.0.113.7", "x-forwarded-host": "a.example", "x-forwarded-proto": "https" }
    expect(found(headers)).toEqual({ address: "203.0.113.7", host: "a.example", scheme: "https" })
    expect(found(headers, "::ffff:127.0.0.1")).toMatchObject({ address: "203.0.113.7" })
    for (const peer of ["192.0.2.1", "127.0.0.2", "::2", ""]) expect(found(headers, peer)).toEqual({ address: peer })
    const forwarded = { forwarded: "for=203.0.113.7;host=a.example;proto=https" }
    expect(found(forwarded)).toEqual({ address: "203.0.113.7", host: "a.example", scheme: "https" })
    expect(found(forwarded, "192.0.2.1")).toEqual({ address: "192.0.2.1" })
    expect(Arrival.of(from("::ffff:192.0.2.1", headers))).toEqual({ address: "192.0.2.1" })
    for (const none of [{}, { forwarded: "" }, { "x-forwarded-for": "" }]) {
      expect(found(none)).toEqual({ address: "127.0.0.1", host: undefined, scheme: undefined })
    }
    expect(found({ "x-forwarded-host": "a.example" })).toEqual({ address: "127.0.0.1", host: "a.example" })
    expect(found({ "x-forwarded-proto": "https" })).toEqual({ address: "127.0.0.1", scheme: "https" })
  })

  it("[G26:unit] is told by the nearest proxy that is not trusted: what stands before it anybody may have written", () => {
    expect(found({ "x-forwarded-for": "1.1.1.1, 203.0.113.7" }).address).toBe("203.0.113.7")
    expect(found({ "x-forwarded-for": "1.1.1.1,203.0.113.7, 10.9.9.9" }).address).toBe("203.0.113.7")
    // Everybody in the chain is trusted: the first one is the client.
    expect(found({ "x-forwarded-for": "10.1.1.1, 10.9.9.9" }).address).toBe("10.1.1.1")
    const chain =
      "for=1.1.1.1;host=evil.example, for=203.0.113.7;host=a.example;proto=https, for=10.9.9.9;host=b.example"
    expect(found({ forwarded: chain })).toEqual({ address: "203.0.113.7", host: "a.example", scheme: "https" })
  })

  it.each([
    ['"[2001:db8::7]:4711"', "2001:db8::7"],
    ['"[2001:db8::7]"', "2001:db8::7"],
    ['"203.0.113.7:4711"', "203.0.113.7"],
    ["unknown", "127.0.0.1"],
    ["_hidden", "127.0.0.1"],
    ['"', "127.0.0.1"],
    ["999.1.1.1", "127.0.0.1"],
    ["", "127.0.0.1"]
  ])("[G26:unit] reads for=%s", (node, address) => {
    expect(found({ forwarded: `For=${node};proto=gopher` })).toMatchObject({ address, scheme: undefined })
    // Only `Forwarded` has quotes.
    expect(found({ "x-forwarded-for": node.replaceAll('"', "") }).address).toBe(address)
  })

  it("[G26:unit] reads what is quoted as RFC 7230 has it, and takes nothing from an open quote", () => {
    expect(found({ forwarded: 'for="203.0.113.\\7"' }).address).toBe("203.0.113.7")
    expect(found({ forwarded: 'for=203.0.113.7, for="a, for=1.1.1.1' }).address).toBe("127.0.0.1")
    expect(found({ forwarded: 'for=203.0.113.7;host="a;proto=http,b";proto=HTTPS' })).toEqual({
      address: "203.0.113.7",
      host: "a;proto=http,b",
      scheme: "https"
    })
  })

  it("[G26:unit] believes no proxy that says two things: one of the two is its client's", () => {
    const both = { forwarded: "for=1.1.1.1;host=evil.example", "x-forwarded-for": "203.0.113.7" }
    expect(found(both)).toEqual({ address: "127.0.0.1", isContradictory: true })
    expect(found({ ...both, "x-forwarded-for": "1.1.1.1" })).toEqual({ address: "1.1.1.1", host: undefined })
    // A client may name a host by the other header than the one that its proxy writes.
    expect(found({ forwarded: "for=1.1.1.1;host=evil.example", "x-forwarded-host": "a.example" })).toMatchObject({
      isContradictory: true
    })
  })

  it.each([
    ["", "none"],
    ["localhost", "none"],
    ["127.0.0.1/33", "none"],
    ["::1/129", "none"],
    ["10.0.0.0/", "none"],
    ["10.0.0.0/8,", "none"],
    ["10.0.0.0/8 10.1.0.0/16", "none"],
    ["10.0.0.0-10.0.0.9", "none"],
    ["fe80::1%eth0", "none"],
    ["fe80::1%eth0/64", "none"],
    ["http://10.0.0.1", "none"],
    ["0.0.0.0/0", "everybody"],
    ["::ffff:0:0/96", "everybody"],
    ["::/8", "everybody"],
    ["127.0.0.1,::/0", "everybody"]
  ])("[G26:unit] %j is no list of proxies", (text, why) => {
    expect(TrustedProxies.parse(text)).toMatch(/^must be addresses or ranges with commas between them/)
    expect(TrustedProxies.parse(text)).toContain(why)
  })
})
