import { describe, expect, it } from "@effect/vitest"
import * as Guard from "../src/Guard.js"
import * as PublicUrl from "../src/PublicUrl.js"
import * as Maps from "./support/Maps.js"

const local = { host: "127.0.0.1" }
const status = (headers: Record<string, string>, rules: Guard.Rules = local) => Guard.check(headers, rules)?.status

describe("Guard", () => {
  it("[G6:unit] a host to bind is known as this machine's in each of its forms, and no other one is", () => {
    const own = ["localhost", "LOCALHOST", "a.LocalHost", "127.0.0.1", "127.255.0.1", "::1", "[::1]", "0:0:0:0:0:0:0:1"]
    const others = [
      ...["notlocalhost", "localhost.example", "128.0.0.1", "0.0.0.0", "::", "::2", "[::]", "", "127.0.0.1.example"]
    ]
    expect(own.filter((host) => !Guard.isLoopback(host))).toEqual([])
    expect(others.filter(Guard.isLoopback)).toEqual([])
  })

  it.each(["127.0.0.1:7332", "localhost:7332", "[::1]:7332", "LOCALHOST", "127.8.8.8", "app.localhost:1"])(
    "[G6:unit] bound to loopback, answers to %s",
    (host) => expect(status({ host })).toBeUndefined()
  )

  it.each([
    ...["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7332", "127.0.0.1@evil.example", "[::2]"],
    ...["0.0.0.0:7332", "192.168.0.1", "evil.com@localhost", "localhost/evil.com", "localhost#evil.com"],
    ...["localhost?evil.com", "localhost\\evil.com", "localhost:7332/", "localhost:7332:1", "localhost:port"],
    ...["localhost:123456", "loc%61lhost", "local\u00adhost", "localhost evil.com", "localhost,evil.com"],
    ...["[::1]evil.com", "localhost.", "not a host", ""]
  ])("[G6:unit] bound to loopback, refuses the Host %j", (host) => expect(status({ host })).toBe(403))

  it("[G6:unit] refuses a request without a Host", () => expect(status({})).toBe(403))

  it("[G6:unit] lets pages of this machine ask, and no others", () => {
    const host = "127.0.0.1:7332"
    for (const origin of ["http://localhost:6274", "http://localhost/", "tauri://localhost"]) {
      expect(status({ host, origin })).toBeUndefined()
    }
    const wrong = [
      "https://evil.example",
      "null",
      "file://",
      "http://localhost.evil.example",
      "http://evil.example@localhost",
      "http://:password@localhost",
      "http://localhost/evil.example",
      "http://localhost/?evil.example",
      "http://localhost/#evil.example"
    ]
    for (const origin of wrong) {
      expect(status({ host, origin })).toBe(403)
    }
  })

  it("[G6:unit] bound to another address, lets pages of the same host ask, and not those of the browser's own machine", () => {
    const rules = { host: "0.0.0.0" }
    const host = "192.168.0.5:7332"
    for (const origin of ["http://192.168.0.5:7332", "https://192.168.0.5"]) {
      expect(status({ host, origin }, rules)).toBeUndefined()
    }
    for (const origin of ["http://localhost:7332", "http://127.0.0.1", "http://[::1]", "http://192.168.0.6:7332"]) {
      expect(status({ host, origin }, rules)).toBe(403)
    }
    expect(status({ host: "[::1]:7332", origin: "http://[::1]" }, rules)).toBeUndefined()
  })

  it("[G6] what a page of another origin has sent is refused, even if it has no Origin; links to the page are not", () => {
    const asked = (site: string | undefined, rules: Guard.Rules = local) =>
      status({ host: "localhost:7332", ...(site === undefined ? {} : { "sec-fetch-site": site }) }, rules)
    for (const site of ["cross-site", "same-site", "something-new", ""]) {
      expect(asked(site)).toBe(403)
      expect(asked(site, { ...local, isPage: true })).toBeUndefined()
    }
    for (const site of ["same-origin", "none", undefined]) expect(asked(site)).toBeUndefined()
    const message = Guard.check({ host: "localhost", "sec-fetch-site": "cross-site" }, local)?.message
    expect(message).toBe("Pages of other origins may not use this gateway, not even to read")
  })

  it("[G6] a request with more than one Host is refused", () => {
    expect(Guard.checkRaw(["Host", "localhost", "hOST", "localhost"])).toEqual({
      status: 400,
      message: "The request has more than one Host header"
    })
    expect(Guard.checkRaw(["Host", "localhost", "X-Forwarded", "host"])).toBeUndefined()
    expect(Guard.checkRaw(["X", "host", "Y", "host"])).toBeUndefined()
  })

  it("[G6] what changes something comes from no page of another origin, and in no form", () => {
    const refused = (headers: Record<string, string>) =>
      Guard.checkAction({ host: "localhost:7332", "x-lifeline": "1", ...headers }, false)?.status
    expect(refused({})).toBeUndefined()
    expect(refused({ origin: "http://localhost:7332", "sec-fetch-site": "same-origin" })).toBeUndefined()
    expect(refused({ "sec-fetch-site": "none", "content-type": "application/json" })).toBeUndefined()
    for (const origin of ["http://localhost:7333", "http://127.0.0.1:7332", "null", "http://localhost"]) {
      expect(refused({ origin })).toBe(403)
    }
    for (const site of ["same-site", "cross-site"]) expect(refused({ "sec-fetch-site": site })).toBe(403)
    // Names of hosts have no case, neither in Host nor in what a proxy says.
    const origin = "http://localhost:7332"
    expect(refused({ host: "LocalHost:7332", origin })).toBeUndefined()
    const forwardedHost = "LOCALHOST:7332"
    expect(Guard.checkAction({ host: "10.0.0.1", origin }, true, { forwardedHost })).toBeUndefined()
    expect(Guard.checkAction({ host: "localhost" }, false)?.message).toContain("X-Lifeline: 1")
    expect(Guard.checkAction({ host: "localhost" }, true)).toBeUndefined()
    expect(refused({ "content-type": "application/json; was=text/plain" })).toBeUndefined()
    for (const type of ["text/plain", "TEXT/plain;x", "multipart/form-data", "application/x-www-form-urlencoded"]) {
      expect(refused({ "content-type": type })).toBe(403)
    }
  })

  it("[G6 X5] a remembered name is not taken for another one, and a few are remembered", () => {
    Maps.watched((maps) => {
      for (let n = 0; n < 250; n++) {
        expect(status({ host: `${n}.localhost` })).toBeUndefined()
        expect(status({ host: `${n}.example` })).toBe(403)
      }
      const sizes = Array.from(maps, ({ size }) => size)
      expect(Math.max(...sizes)).toBeGreaterThan(0)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(100)
    })
  })

  it("[G26:unit] behind a proxy, its name is one of the gateway's, for Host and Origin, and no other one is", () => {
    const publicUrl = PublicUrl.parse("https://mcp.example.com/base") as PublicUrl.PublicUrl
    for (const bound of ["127.0.0.1", "0.0.0.0"]) {
      const rules = { host: bound, publicUrl }
      // A proxy passes the name on, or puts that of the gateway in its place.
      for (const host of ["mcp.example.com", "127.0.0.1:7332"]) {
        expect(status({ host }, rules)).toBeUndefined()
        expect(status({ host, origin: "https://mcp.example.com" }, rules)).toBeUndefined()
        for (
          const origin of ["https://mcp.example.com.evil.example", "https://example.com", "https://mcp.example.com/a"]
        ) {
          expect(status({ host, origin }, rules)).toBe(403)
        }
        expect(Guard.checkAction({ host, origin: "https://mcp.example.com" }, true, rules)).toBeUndefined()
        expect(Guard.checkAction({ host, origin: "http://mcp.example.com" }, true, rules)?.status).toBe(
          host === "mcp.example.com" ? undefined : 403
        )
      }
      expect(status({ host: "evil.example" }, rules)).toBe(bound === "127.0.0.1" ? 403 : undefined)
    }
  })

  it("[G26:unit] what a trusted proxy says counts for pages, and lets no other Host in", () => {
    const rules = { ...local, forwardedHost: "mcp.example.com:8443" }
    const origin = "https://mcp.example.com:8443"
    expect(status({ host: "127.0.0.1:7332", origin }, rules)).toBeUndefined()
    expect(status({ host: "127.0.0.1:7332", origin }, local)).toBe(403)
    expect(Guard.checkAction({ host: "127.0.0.1:7332", origin }, true, rules)).toBeUndefined()
    expect(Guard.checkAction({ host: "127.0.0.1:7332", origin }, true)?.status).toBe(403)
    // A page whose name leads to this machine sends its own name, whatever else it sends.
    expect(status({ host: "mcp.example.com:8443" }, rules)).toBe(403)
    expect(status({ host: "evil.example" }, { ...local, forwardedHost: "localhost" })).toBe(403)
  })

  it("[G26:unit] a request that a proxy passes on is refused with the option that lets it in", () => {
    const option = { hostOption: "--host", publicUrlOption: "--public-url" }
    expect(Guard.check({ host: "mcp.example.com" }, { ...local, ...option })?.message).toBe(
      `This gateway serves this machine only, as localhost or 127.0.0.1, and not as "mcp.example.com": behind a proxy, start it with --public-url and `
        + "the URL under which clients reach the proxy; to serve other machines, start it with --host and a token"
    )
    const publicUrl = PublicUrl.parse("https://mcp.example.com") as PublicUrl.PublicUrl
    expect(Guard.check({ host: "other.example" }, { ...local, ...option, publicUrl })?.message).toContain(
      `and not as "other.example": --public-url is https://mcp.example.com; `
    )
    const foreign = { host: "127.0.0.1:7332", origin: "https://mcp.example.com" }
    expect(Guard.check(foreign, { host: "0.0.0.0", ...option })?.message).toBe(
      `Pages of "https://mcp.example.com" may not use this gateway, only those of the same host; behind a proxy, start it with --public-url and `
        + "the URL under which clients reach the proxy"
    )
  })

  it("[G6:unit] says what is refused, and what would be right", () => {
    const message = (headers: Record<string, string>, rules: Guard.Rules = local) =>
      Guard.check(headers, rules)?.message
    expect(message({ host: "host.docker.internal:7332" })).toBe(
      `This gateway serves this machine only, as localhost or 127.0.0.1, and not as "host.docker.internal": to serve other `
        + "machines, start it with the option host and a token"
    )
    expect(message({ host: "host.docker.internal:7332" }, { ...local, hostOption: "--host" })).toMatch(
      /start it with --host and a token$/
    )
    expect(message({ host: "localhost", origin: `https://${"x".repeat(200)}.example` })).toBe(
      `Pages of "https://${"x".repeat(92)}" may not use this gateway, only those of this machine`
    )
    expect(message({})).toBe("The request has no Host header that names a host")
  })
})
