import { Effect, Fiber } from "effect"
import { createServer } from "node:http"
import { listening } from "../../testing/test/support/listening.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { LoginPage } from "../src/LoginPage.js"
import { isPath, isUsable, PublicRedirects } from "../src/PublicRedirects.js"

const served = (redirects: PublicRedirects) =>
  Effect.map(
    listening(createServer(redirects.handle)),
    (at) => (path: string, headers: Record<string, string> = {}, method = "GET") =>
      Effect.promise(async () => {
        const response = await fetch(at + path, { method, headers })
        return { status: response.status, cookies: response.headers.getSetCookie(), text: await response.text() }
      })
  )

const login = (redirects: PublicRedirects, person: string, state: string) =>
  Effect.gen(function*() {
    const page = new LoginPage({ person: { identity: person }, server: "https://docs.example/mcp" }, redirects.site)
    const listener = yield* redirects.listener(page)
    page.begin(`https://idp.example/authorize?state=${state}`)
    const arrival = yield* Effect.forkScoped(listener.arrival(state))
    return { arrival, listener, page }
  })

const origin = "https://mcp.example.com"

describe("the page of a login", () => {
  it("[G22:unit] says who goes on by what nobody can choose; a name that people choose stands beside it, and is no markup", () => {
    const shown = (identity: string, name?: string) => {
      const page = new LoginPage({ person: { identity, name }, server: "https://docs.example/mcp" })
      page.begin("https://idp.example/authorize")
      return page.answer({ method: "GET", headers: {} } as never, page.path, "http://localhost")?.body ?? ""
    }
    const who = "<strong><bdi>the account 7 of https://idp.example</bdi></strong>"
    const posing = shown("the account 7 of https://idp.example", "boss</bdi></q> of <b>")
    expect(posing).toContain(
      `This lets ${who} (called <q><bdi>boss&#60;/bdi&#62;&#60;/q&#62; of &#60;b&#62;</bdi></q>) use the server`
    )
    expect(posing).toContain(`Go on only if you are ${who}, and have`)
    expect(shown("the client ci")).toContain("This lets <strong><bdi>the client ci</bdi></strong> use the server")
  })
})

describe("logins at a public URL", () => {
  test.scopedLive("[G22] over TLS only the host itself has set the cookie, and only its own page presses the button", function*() {
    const redirects = new PublicRedirects(`${origin}/tools`)
    const get = yield* served(redirects)
    const { arrival, listener, page } = yield* login(redirects, "anna", "state-of-anna")
    yield* login(redirects, "ben", "state-of-ben")
    expect(listener.redirect).toBe(`${origin}/tools/login/callback`)
    expect(listener.base + page.path).toMatch(/^https:\/\/mcp\.example\.com\/tools\/login\/[\w-]{32}$/)
    for (const other of [`${origin}.evil.example`, "http://mcp.example.com", `${origin}:8443`, "null"]) {
      expect([other, (yield* get(page.path, { origin: other }, "POST")).status]).toEqual([other, 403])
    }
    expect((yield* get(page.path, {}, "POST")).status).toBe(403)
    const { cookies, status } = yield* get(page.path, { origin }, "POST")
    expect(status).toBe(200)
    const safe = /^__Host-lifeline-login-[\da-f]{16}=[\w-]{32}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=900$/
    expect(cookies).toEqual([expect.stringMatching(safe)])
    const cookie = (cookies[0] ?? "").split(";")[0] ?? ""
    const at = (state: string) => `/login/callback?code=c&state=${state}`
    const strangers = [["state-of-anna", {}], ["state-of-ben", { cookie }], ["other", { cookie }]] as const
    for (const [state, headers] of strangers) {
      expect([state, (yield* get(at(state), headers)).status]).toEqual([state, 400])
    }
    const shown = yield* Effect.fork(get(at("state-of-anna"), { cookie }))
    const { parameters, reply } = yield* Fiber.join(arrival)
    expect(parameters.get("code")).toBe("c")
    expect((yield* get(at("state-of-anna"), { cookie })).status).toBe(400)
    yield* reply("done", true)
    expect((yield* Fiber.join(shown)).text).toContain("done")
  })

  test.scopedLive("[G22] a login that has ended leaves nothing; what is no path, or no login, is nothing", function*() {
    const redirects = new PublicRedirects("http://localhost:7332")
    const get = yield* served(redirects)
    const path = yield* Effect.scoped(Effect.gen(function*() {
      const { page } = yield* login(redirects, "anna", "state-of-anna")
      expect((yield* get(page.path)).status).toBe(200)
      const { cookies } = yield* get(page.path, { origin: "http://localhost:7332" }, "POST")
      const plain = /^lifeline-login-[\da-f]{16}=[\w-]{32}; Path=\/login; HttpOnly; /
      expect(cookies).toEqual([expect.stringMatching(plain)])
      return page.path
    }))
    expect((yield* get(path)).status).toBe(404)
    const targets = [
      [400, "/login/callback"],
      [400, "/login/callback?state="],
      [404, "/login/"],
      [404, "/login/x?state=state-of-anna"]
    ] as const
    for (const [status, target] of targets) expect([target, (yield* get(target)).status]).toEqual([target, status])
    expect([isPath("/login/x"), isPath("/login"), isPath("/api/servers/a/login")]).toEqual([true, false, false])
  })

  it("[G22] codes and cookies go nowhere over plain http, unless that is this machine", () => {
    const urls = ["https://mcp.example.com/a", "http://team.localhost:80", "http://[::1]:1", "http://gateway.lan"]
    expect(urls.map(isUsable)).toEqual([true, true, true, false])
  })
})
