import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import type { LookupAddress } from "node:dns"
import { createServer, type Server } from "node:http"
import { type AddressInfo, isIP } from "node:net"
import * as undici from "undici"
import * as AddressKind from "../src/AddressKind.js"
import * as Dispatchers from "../src/Dispatchers.js"
import * as HttpConnector from "../src/HttpConnector.js"
import * as Proxy from "../src/Proxy.js"
import * as Reach from "../src/Reach.js"

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

describe("whose an address is", () => {
  it("[X2] an address is known in each of its forms", () => {
    const kinds = {
      machine: `
        127.0.0.1 127.255.0.9 0.0.0.0 0.1.2.3 ::1 ::
        ::ffff:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:7f00:0001 ::127.0.0.1 ::ffff:0:127.0.0.1 ::ffff:127.0.0.1%eth0
        64:ff9b::7f00:1 64:ff9b::127.0.0.1 2002:7f00:1::`,
      private: `
        10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255
        192.0.0.8 198.18.0.1 198.19.255.255 224.0.0.1 255.255.255.255
        fc00::1 fd12:3456::1 fec0::1 ff02::1 64:ff9b:1::1 64:ff9b:1:ffff::1
        ::ffff:10.0.0.1 ::ffff:a00:1 ::192.168.1.1 ::ffff:0:100.127.1.1
        2002:a00:1::1 2002:ac1f:ffff:: 64:ff9b::a00:1 64:ff9b::172.31.255.254`,
      link: `
        169.254.169.254 169.254.0.1 ::ffff:169.254.169.254 ::169.254.1.2
        fe80::1 febf::1 fe80::1%eth0`,
      public: `
        8.8.8.8 1.0.0.1 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.1.1 192.169.0.1
        100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.0.1
        198.17.0.1 198.20.0.1 192.0.1.1 223.255.255.255
        2606:4700::1111 2001:db8::1 fe00::1 fbff::1 64:ff9b:2::1 1:2:3:4:5:6:172.16.0.1
        ::ffff:8.8.8.8 ::ffff:192.0.1.1 ::ffff:0:192.169.1.1 ::100.128.0.1
        2002:808:808::1 2002:ac20::1 64:ff9b::8.8.8.8 64:ff9b::808:808 64:ff9b::172.32.0.1`
    }
    for (const [kind, addresses] of Object.entries(kinds)) {
      for (const address of words(addresses)) {
        const isAddress = isIP(address.replace(/%.*/, "")) > 0
        expect([address, isAddress, AddressKind.ofAddress(address)]).toEqual([address, true, kind])
      }
    }
    expect(["localhost", "example.com", "", "1.2.3", "::g"].map(AddressKind.ofAddress)).toEqual(
      Array(5).fill(undefined)
    )
  })

  it("[X2] the host of a URL is seen through, whichever way it is written", () => {
    const kindOf = (host: string) => AddressKind.ofHost(new URL(`http://${host}/`).hostname)
    const written = words(`
      localhost LOCALHOST localhost. a.localhost ab.c.localhost
      127.1 2130706433 0x7f000001 0177.0.0.1 0 127.0.0.1. １２７.0.0.1
      [::1] [::ffff:127.0.0.1] [0:0:0:0:0:0:0:1]`)
    expect(written.map((host) => [host, kindOf(host)])).toEqual(written.map((host) => [host, "machine"]))
    expect(["10.1", "0xa9fea9fe", "[fd00::1]"].map(kindOf)).toEqual(["private", "link", "private"])
    const others = ["notlocalhost", "localhost.example", "127.0.0.1.example"]
    expect(others.map(kindOf)).toEqual(Array(3).fill(undefined))
  })
})

const names = (known: Record<string, ReadonlyArray<string>>): Reach.Lookup => (name, options, resolved) => {
  const addresses = known[name]
  if (addresses === undefined) return resolved(Object.assign(new Error(`no ${name}`), { code: "ENOTFOUND" }))
  const found = addresses.map((address): LookupAddress => ({ address, family: isIP(address) }))
  return options.all === true ? resolved(null, found) : resolved(null, found[0]!.address, found[0]!.family)
}

const reachOf = (server: string, known: Record<string, ReadonlyArray<string>> = {}, chosen?: string) =>
  Reach.make({
    server: new URL(server),
    lookup: names(known),
    isChosen: chosen === undefined ? undefined : ({ origin }) => origin === chosen
  })

const refuses = (reach: Reach.Reach, url: string) => reach.refusal(new URL(url)) !== undefined

const lookedUp = (reach: Reach.Reach, name: string, all = true) =>
  new Promise((resolve) =>
    reach.lookup(
      name,
      { all },
      (error, found) => resolve(error?.message ?? (Array.isArray(found) ? found.map(({ address }) => address) : found))
    )
  )

describe("how far requests go for a server", () => {
  const targets = [
    "http://127.0.0.1:7332/api",
    "https://localhost",
    "https://10.0.0.1/",
    "https://[fe80::1]/",
    "https://169.254.169.254/"
  ]
  const refusedBy = (reach: Reach.Reach) => targets.filter((url) => refuses(reach, url))

  it("[X2] only to where the server is itself, and to what is everybody's", () => {
    expect(refusedBy(reachOf("https://mcp.example/mcp"))).toEqual(targets)
    expect(refusedBy(reachOf("https://8.8.8.8/mcp"))).toEqual(targets)
    expect(refusedBy(reachOf("http://localhost:1/mcp"))).toEqual(targets.slice(2))
    expect(refusedBy(reachOf("http://127.0.0.1:1/mcp"))).toEqual(targets.slice(2))
    expect(refusedBy(reachOf("http://10.9.9.9/mcp"))).toEqual(targets.filter((url) => !url.includes("10.0.0.1")))
    expect(refuses(reachOf("https://mcp.example/mcp"), "https://login.example/")).toBe(false)
    expect(reachOf("https://mcp.example/mcp").refusal(new URL("http://127.0.0.1:7332/api"))?.message).toBe(
      "127.0.0.1:7332 is an address of this machine, where the server mcp.example is not, so that nothing is sent there"
    )
  })

  it("[X2] a server with a name is where it was reached, and nowhere for certain once it was reached in two places", () => {
    const reach = reachOf("https://mcp.corp.example/mcp")
    reach.reached("10.0.0.7")
    expect(refuses(reach, "https://10.0.0.1/")).toBe(false)
    expect(refuses(reach, "http://127.0.0.1:7332/")).toBe(true)
    reach.reached("8.8.8.8")
    expect(refuses(reach, "https://10.0.0.1/")).toBe(true)
    const moving = reachOf("https://mcp.evil.example/mcp")
    moving.reached("8.8.8.8")
    moving.reached("127.0.0.1")
    expect(refuses(moving, "http://127.0.0.1:7332/")).toBe(true)
    const literal = reachOf("http://8.8.8.8/mcp")
    literal.reached("127.0.0.1")
    expect(refuses(literal, "http://127.0.0.1:7332/")).toBe(true)
  })

  it("[X2] what the user has named may be anywhere", () => {
    const reach = reachOf("https://mcp.example/mcp", {}, "https://10.0.0.1")
    expect([refuses(reach, "https://10.0.0.1/token"), refuses(reach, "https://10.0.0.1:8443/token")]).toEqual([
      false,
      true
    ])
  })

  it("[X2] names are looked up, and what they lead to is left out where it is out of reach", async () => {
    const known = {
      "evil.example": ["127.0.0.1"],
      "both.example": ["10.0.0.1", "8.8.8.8"],
      "good.example": ["8.8.8.8", "2606:4700::1111"],
      "mapped.example": ["::ffff:10.0.0.1"],
      "empty.example": []
    }
    const reach = reachOf("https://mcp.example/mcp", known)
    expect(await lookedUp(reach, "evil.example")).toContain("evil.example leads to an address of this machine")
    expect(await lookedUp(reach, "mapped.example")).toContain("leads to an address of a private network")
    expect(await lookedUp(reach, "both.example")).toEqual(["8.8.8.8"])
    expect(await lookedUp(reach, "both.example", false)).toBe("8.8.8.8")
    expect(await lookedUp(reach, "good.example")).toEqual(["8.8.8.8", "2606:4700::1111"])
    expect(await lookedUp(reach, "none.example")).toBe("no none.example")
    expect(await lookedUp(reach, "empty.example")).toContain("leads nowhere")
  })

  it("[X2] where a server is that nobody has connected to is looked up; that it is this machine is not believed", async () => {
    const known = {
      "mcp.corp": ["10.0.0.7", "10.0.0.8"],
      "mcp.evil": ["127.0.0.1"],
      "mixed.corp": ["10.0.0.7", "8.8.8.8"]
    }
    const located = async (server: string) => {
      const reach = reachOf(server, known)
      await reach.locate()
      return [refuses(reach, "https://10.0.0.1/"), refuses(reach, "http://127.0.0.1/")]
    }
    expect(await located("https://mcp.corp/")).toEqual([false, true])
    expect(await located("https://mcp.evil/")).toEqual([true, true])
    expect(await located("https://mixed.corp/")).toEqual([true, true])
    expect(await located("https://unknown.corp/")).toEqual([true, true])
    expect(await located("http://localhost/")).toEqual([true, false])
  })

  it("[X2] a refusal is found within other errors", () => {
    const refusal = new Reach.ForbiddenAddress("no")
    expect(Reach.refusalIn(new TypeError("fetch failed", { cause: refusal }))).toBe(refusal)
    expect(Reach.refusalIn(new AggregateError([refusal]))).toBe(refusal)
    expect(Reach.refusalIn(new Error("other", { cause: "no" }))).toBeUndefined()
    const circle = new Error("circle")
    circle.cause = circle
    expect(Reach.refusalIn(circle)).toBeUndefined()
  })
})

describe("requests of OAuth", () => {
  let server: Server
  let hits: Array<string>
  let answer: (url: string) => { readonly status: number; readonly location?: string }
  let port: number
  beforeEach(async () => {
    hits = []
    answer = () => ({ status: 200 })
    server = createServer((request, response) => {
      hits.push(`${request.method} ${request.headers.host} ${request.url}`)
      const { location, status } = answer(request.url ?? "")
      response.writeHead(status, location === undefined ? {} : { location }).end("{}")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  const fetchOf = (reach: Reach.Reach) =>
    Dispatchers.makeOAuthFetch({ undici, connectTimeout: 5_000, proxies: Proxy.none, reach })

  it("[X2:real] a name that leads to this machine is not connected to, nor is a redirect followed there", async () => {
    const known = { "evil.example": ["127.0.0.1"] }
    const remote = fetchOf(reachOf("https://mcp.example/mcp", known))
    for (const host of ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]", "evil.example"]) {
      await expect(remote(`http://${host}:${port}/x`, { method: "POST" })).rejects.toThrow(
        /an address of this machine, where/
      )
    }
    expect(hits).toEqual([])
    // Named by the user, it may send to this machine, but nowhere else.
    answer = (url) => url === "/away" ? { status: 307, location: `http://evil.example:${port}/b` } : { status: 200 }
    const chosen = fetchOf(reachOf("https://mcp.example/mcp", known, `http://127.0.0.1:${port}`))
    await chosen(`http://127.0.0.1:${port}/a`)
    await expect(chosen(`http://127.0.0.1:${port}/away`, { redirect: "follow" })).rejects.toThrow(
      /evil.example leads to/
    )
    expect(hits).toEqual([`GET 127.0.0.1:${port} /a`, `GET 127.0.0.1:${port} /away`])
  })

  it("[X2:real] a server on this machine has its authorization server there", async () => {
    const local = fetchOf(reachOf(`http://127.0.0.1:${port}/mcp`, {
      localhost: ["127.0.0.1"],
      "mine.example": ["127.0.0.1"]
    }))
    for (const host of ["127.0.0.1", "localhost", "mine.example"]) await local(`http://${host}:${port}/x`)
    expect(hits).toHaveLength(3)
  })

  it("[X2:real] a fetch of the user's own is not given what is out of reach", async () => {
    const seen: Array<string> = []
    const reach = reachOf("https://mcp.example/mcp")
    const fetch = Dispatchers.withinReach(async (url) => {
      seen.push(String(url))
      throw new TypeError("no network")
    }, reach)
    await expect(fetch("http://127.0.0.1/")).rejects.toThrow(/nothing is sent there/)
    await expect(fetch("https://login.example/")).rejects.toThrow("no network")
    expect(seen).toEqual(["https://login.example/"])
    expect(HttpConnector.isOutOfReach(await fetch("http://localhost/").catch((error: unknown) => error))).toBe(true)
  })

  it("[X2:real] where the server was reached is noted with its connection", async () => {
    const reach = reachOf("http://mcp.example/mcp")
    const sockets = { undici, connectTimeout: 5_000, proxies: Proxy.none, reach }
    const dispatchers = Dispatchers.makeDispatchers(sockets, 2)
    for (const dispatcher of Object.values(dispatchers)) {
      expect(refuses(reach, "http://127.0.0.1/")).toBe(dispatcher === dispatchers.calls)
      const { body } = await undici.request(`http://127.0.0.1:${port}/`, { dispatcher })
      await body.dump()
    }
    expect(refuses(reach, "http://127.0.0.1/")).toBe(false)
    await expect(undici.request("http://127.0.0.1:1/", { dispatcher: dispatchers.calls })).rejects.toThrow()
    await Promise.all(Object.values(dispatchers).map((dispatcher) => dispatcher.destroy()))
  })
})
