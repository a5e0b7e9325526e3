import { PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import { Effect, Fiber } from "effect"
import { createServer } from "node:http"
import { raw, statusOf } from "../../../http-server/test/support/raw.js"
import { LoginPage } from "../../../sign-in/src/LoginPage.js"
import { listening } from "../../../testing/test/support/listening.js"
import type { Gateways, ReplicaName } from "../../src/replica/Gateways.js"
import * as LoginPages from "../../src/sign-in/LoginPages.js"
import { describe, expect, test } from "../support/vitest.js"

const origin = "https://mcp.example.com"

const replica = Effect.fnUntraced(function*(others: () => ReadonlyArray<ReplicaName>) {
  const redirects = new PublicRedirects(origin)
  const passed: Array<string> = []
  const prefix = "/cluster/logins"
  const logins: Gateways["logins"] = ({ address }) => ({ baseUrl: address + prefix, fetch })
  const gateways: Pick<Gateways, "logins" | "others"> = { others, logins }
  const pages = LoginPages.make(redirects, gateways as Gateways)
  const address = yield* listening(createServer((request, response) => {
    const url = request.url ?? ""
    if (!url.startsWith(prefix)) return pages.handle(request, response, url)
    // Its listener would refuse another Origin than its own.
    expect(request.headers.origin).toBeUndefined()
    request.url = url.slice(prefix.length)
    passed.push(`${request.method}`)
    expect(pages.handlePassed(request, response, request.url.replace(/\?.*/, ""))).toBe(true)
  }))
  const { port } = new URL(address)
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    Effect.promise(async () => {
      const response = await fetch(address + path, { method, headers })
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  return { ask, port: Number(port), name: { id: port, address }, passed, redirects }
})

const pageAt = ({ site }: PublicRedirects) =>
  new LoginPage({ person: { identity: "anna" }, server: "https://docs.example/mcp" }, site)

describe("the pages of logins in a cluster", () => {
  test.scopedLive("[X6] nothing but them is asked of another replica, whatever the target looks like", function*() {
    const other = yield* replica(() => [])
    const first = yield* replica(() => [other.name])
    const pages = ["", "/a", "/callback", "/%61"]
    const steps = [
      "/../api/status",
      "/%2e%2e/api/status",
      "/..%2fapi/status",
      "\\..\\api/status",
      "/./../api/call?a=b",
      "/../../mcp"
    ]
    for (const target of pages.flatMap((page) => steps.map((step) => `/login${page}${step}`))) {
      expect([target, statusOf(yield* raw(first.port, `GET ${target} HTTP/1.1\r\nHost: localhost`))])
        .toEqual([target, 404])
    }
    expect(other.passed).toEqual([])
    yield* first.ask("/login/made-up?a=/../b")
    expect(other.passed).toEqual(["GET"])
  })

  test.scopedLive("[G22] a login is finished at the replica that has begun it, whichever one the browser reaches", function*() {
    const names: Array<ReplicaName> = []
    const [first, second, third] = yield* Effect.all([
      replica(() => names.slice(1)),
      replica(() => []),
      replica(() => names)
    ])
    names.push(first.name, second.name, third.name)
    const page = pageAt(second.redirects)
    const listener = yield* second.redirects.listener(page)
    page.begin("https://idp.example/authorize?state=s")
    const arrival = yield* Effect.forkScoped(listener.arrival("s"))
    const shown = yield* first.ask(page.path)
    expect([shown.status, shown.headers.get("x-frame-options")]).toEqual([200, "DENY"])
    expect(shown.text).toContain("anna")
    expect((yield* first.ask(page.path, { origin: "https://evil.example" }, "POST")).status).toBe(403)
    const opened = yield* first.ask(page.path, { origin }, "POST")
    expect(opened.status).toBe(200)
    const cookie = (opened.headers.getSetCookie()[0] ?? "").split(";")[0] ?? ""
    expect(cookie).toMatch(/^__Host-/)
    expect((yield* third.ask("/login/callback?state=s&code=c")).status).toBe(400)
    // What nobody has is asked of all, and then is nothing.
    expect((yield* first.ask("/login/callback?state=made-up", { cookie })).status).toBe(400)
    expect((yield* first.ask("/login/made-up")).status).toBe(404)
    const back = yield* Effect.fork(third.ask("/login/callback?state=s&code=c", { cookie }))
    const { parameters, reply } = yield* Fiber.join(arrival)
    expect(parameters.get("code")).toBe("c")
    yield* reply("You can go on.", true)
    expect((yield* Fiber.join(back)).text).toContain("You can go on.")
    const count = second.passed.length
    yield* second.ask("/login/made-up")
    expect([count, first.passed.length]).toEqual([second.passed.length, first.passed.length])
  })

  test.scopedLive("[D11] a login is nowhere only where every replica has said so; while one is silent, the page can be loaded again", function*() {
    const gone: ReplicaName = { id: "gone", address: "http://127.0.0.1:1" }
    const others: Array<ReplicaName> = [gone]
    const first = yield* replica(() => others)
    const second = yield* replica(() => [])
    others.push(second.name)
    const targets = ["/login/made-up", "/login/callback?state=made-up"]
    for (const target of targets) {
      const { headers, status } = yield* first.ask(target)
      expect([target, status, headers.get("retry-after")]).toEqual([target, 503, "1"])
    }
    const page = pageAt(second.redirects)
    yield* second.redirects.listener(page)
    page.begin("https://idp.example/authorize?state=s")
    expect((yield* first.ask(page.path)).status).toBe(200)
    others.shift()
    for (const target of targets) {
      expect([target, (yield* first.ask(target)).status]).toEqual([target, target.includes("?") ? 400 : 404])
    }
  })
})
