import { describe, expect, it } from "vitest"
import * as PublicUrl from "../src/PublicUrl.js"

const url = (text: string) => PublicUrl.parse(text) as PublicUrl.PublicUrl

describe("the URL of a proxy", () => {
  it("[G26:unit] has a host, and perhaps a port and a path", () => {
    expect(url("https://MCP.example.com/")).toEqual({
      href: "https://mcp.example.com",
      origin: "https://mcp.example.com",
      hostname: "mcp.example.com",
      path: ""
    })
    expect(url("http://mcp.example.com:8080/a/base-1/")).toEqual({
      href: "http://mcp.example.com:8080/a/base-1",
      origin: "http://mcp.example.com:8080",
      hostname: "mcp.example.com",
      path: "/a/base-1"
    })
  })

  it.each([
    ["http://10.0.0.1:8080", "10.0.0.1"],
    ["http://[FD00::1]:8080/", "[fd00::1]"],
    ["http://mcp_gateway", "mcp_gateway"],
    ["http://10.0.0.0", "10.0.0.0"],
    ["https://0.0.0.0.example", "0.0.0.0.example"],
    ["https://bücher.example", "xn--bcher-kva.example"]
  ])("[G26:unit] %s is accepted", (text, hostname) => expect(url(text).hostname).toBe(hostname))

  it.each([
    ["mcp.example.com", "must be http://HOST or https://HOST"],
    ["ftp://mcp.example.com", "must be http://HOST or https://HOST"],
    ["https://user:pw@mcp.example.com", "without a user"],
    ["https://mcp.example.com/?x=1", "without a user and a query"],
    ["https://mcp.example.com/mcp", "must be without /mcp at its end"],
    ["https://mcp.example.com/base/mcp/", "must be without /mcp at its end"],
    ["https://mcp.example.com/a//b", "path of letters"],
    ["https://mcp.example.com/a%20b", "path of letters"],
    ["https://mcp.example.com//", "path of letters"],
    ["https://*.example.com", "has a host that is no name and no address: must be http://HOST"],
    ["https://${HOST}", "has a host that is no name"],
    ["https://.", "has a host that is no name"],
    ["https://mcp..example.com", "has a host that is no name"],
    ["https://-mcp.example.com", "has a host that is no name"],
    ["https://mcp-.example.com", "has a host that is no name"],
    ["xhttps://mcp.example.com", "must be http://HOST or https://HOST"],
    ["https://0.0.0.0:7332", "has the address of every network"],
    ["https://[::]", "has the address of every network"],
    ["https://@mcp.example.com", "without a user"],
    ["https://mcp.example.com?", "without a user and a query"],
    ["https://mcp.example.com/#", "without a user and a query"],
    ["https://mcp.example.com:0", "port that is not 0"],
    [" https://mcp.example.com", "without blanks"],
    ["https:mcp.example.com", "must be http://HOST or https://HOST"],
    ["https:\\\\mcp.example.com", "must be http://HOST or https://HOST"],
    ["", "must be http://HOST or https://HOST"]
  ])("[G26:unit] %s is refused", (text, why) => expect(PublicUrl.parse(text)).toContain(why))

  it("[G26:unit] its path is taken off a request, if the proxy has left it", () => {
    const base = url("https://mcp.example.com/base")
    const without = (target: string) => PublicUrl.withoutPath(base, target)
    expect(["/base/mcp", "/base/?x", "/mcp", "/", "/based/mcp", "/base"].map(without)).toEqual(
      ["/mcp", "/?x", "/mcp", "/", "/based/mcp", "/base"]
    )
    expect(["/base", "/base?x", "/base/", "/"].map((target) => PublicUrl.lacksSlash(base, target))).toEqual(
      [true, true, false, false]
    )
    const plain = url("https://mcp.example.com")
    expect([PublicUrl.withoutPath(plain, "/mcp"), PublicUrl.lacksSlash(plain, "/")]).toEqual(["/mcp", false])
    expect(["", "?x"].map((target) => PublicUrl.lacksSlash(plain, target))).toEqual([false, false])
  })
})
