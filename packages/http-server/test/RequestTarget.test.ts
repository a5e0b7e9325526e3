import { describe, expect, it } from "vitest"
import * as RequestTarget from "../src/RequestTarget.js"

describe("the target of a request", () => {
  it.each([
    ["/", "/"],
    ["/mcp", "/mcp"],
    ["/mcp?a=b", "/mcp"],
    ["/mcp?", "/mcp"],
    ["/a?b?c", "/a"],
    ["/login/x?to=/../y%2f", "/login/x"],
    ["/a%20b/%c3%a9", "/a%20b/%c3%a9"],
    ["/x..y/.z/z./...", "/x..y/.z/z./..."],
    ["/a/b//c/", "/a/b//c/"],
    ["/[a]{b}|c~!$&'()*+,;=:@-_", "/[a]{b}|c~!$&'()*+,;=:@-_"],
    ["/api/servers/a%2Fb", "/api/servers/a%2Fb"],
    ["/api/servers/a%5cb%2fc/log", "/api/servers/a%5cb%2fc/log"],
    ["/cluster/servers/a%2Fb", "/cluster/servers/a%2Fb"],
    ["/base/x/api/servers/a%2Fb", "/base/x/api/servers/a%2Fb"]
  ])("[G6:unit] %j has the path %j", (target, path) => expect(RequestTarget.pathOf(target)).toBe(path))

  it.each([
    ...["", "*", "mcp", "?a", "//host/mcp", "http://localhost/mcp", "\\mcp"],
    ...["/a\\b", "/a b", "/a\tb", "/a#b", '/a"b', "/a<b>", "/a^b", "/a`b", "/é", "/a?b c", "/a?b\u0000", "/a?é"],
    ...["/a?b\n/c"],
    ...["/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/a/./b", "/%2e", "/%2E%2e/a", "/a/.%2e"],
    ...["/a/%2e./b"],
    ...["/a%2fb", "/a%2Fb", "/a%5cb", "/a%5C", "/a%00", "/a%0a", "/a%1F", "/a%7f", "/a%", "/a%2", "/a%zz", "/a%2g"],
    ...["/api/servers/a/b%2fc", "/api/servers/a%2fb/c%5cd", "/api/servers/..%2fx", "/api/servers/x%2f.."],
    ...["/api/servers/x%5c%2e%2e%5cy"],
    ...["/cluster/servers/a%5c..", "/api/servers/a%00", "/api/servers/a%2fb%7f", "/api/servers/a%2fb%"],
    ...["/api/server/a%2fb", "/xapi/servers/a%2fb"],
    "/a%20/api/servers/a%2fb"
  ])("[G6:unit] %j has none", (target) => expect(RequestTarget.pathOf(target)).toBeUndefined())
})
