import { Effect } from "effect"
import { createServer, request as send } from "node:http"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { Browser } from "../../../sign-in/test/support/Browser.js"
import { listening } from "../../../testing/test/support/listening.js"
import { answered, call, connect } from "../support/Callers.js"
import * as Chromium from "../support/Chromium.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const proxy = Effect.fnUntraced(function*(target: number) {
  const direct = yield* listening(createServer((request, response) => {
    const { headers, method, url } = request
    const passed = send(
      { port: target, host: "127.0.0.1", method, path: url, headers: { ...headers, host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      }
    )
    passed.on("error", () => response.destroy())
    response.on("close", () => passed.destroy())
    request.pipe(passed)
  }))
  const host = `team.localhost:${new URL(direct).port}`
  return { origin: `http://${host}`, direct }
})

const gateway = Effect.fnUntraced(function*(url: string) {
  const { port, save, serve } = yield* Gateway.place(Program.start)
  const { direct, origin } = yield* proxy(port)
  const shared = { url, protocol: "2025" }
  const clients = {
    anna: { token: "the-token-of-anna", servers: ["docs", "shared"] },
    ben: { token: "the-token-of-ben", servers: ["docs"] },
    nobody: { token: "the-token-of-nobody", servers: ["shared"] }
  }
  save({ docs: { ...shared, lifeline: { sessions: "per-client" } }, shared }, { clients })
  const publicUrl = `${origin}/base`
  const program = yield* serve(["--public-url", publicUrl], { MCP_LIFELINE_TOKEN: "token-of-the-operator" })
  const reach: typeof fetch = (input, init) => fetch(String(input).replace(origin, direct), init)
  const api = (token: string, path: string, method = "POST") =>
    Effect.promise(async () => {
      const response = await reach(`${publicUrl}/api/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "x-lifeline": "1" }
      })
      const text = await response.text()
      const body = JSON.parse(text === "" ? "{}" : text) as { readonly state?: string; readonly url?: string }
      return { status: response.status, body }
    })
  const begin = (token: string) =>
    Effect.map(api(token, "servers/docs/login"), ({ body, status }) => {
      expect([status, body.state]).toEqual([200, "login-needed"])
      return body.url ?? ""
    })
  const talk = (token: string) => connect(`${direct}/base/mcp`, token)
  const browser = (account: string) => new Browser(account, reach)
  return { api, begin, browser, origin, program, publicUrl, reach, talk }
})

describe("each person's own login, where the gateway is elsewhere", () => {
  test.scopedLive("[G22:real] a login is done at the public URL, in one browser, for the one who has begun it, without rights of an admin", function*() {
    const server = yield* AuthServer.make
    const { api, begin, browser, origin, program, publicUrl, reach, talk } = yield* gateway(server.url)
    const get = (one: Browser, at: string) => Effect.promise(() => one.get(at))
    const press = (one: Browser, at: string, from?: string) => Effect.promise(() => one.press(at, from))
    const authorize = (one: Browser, at: string) => Effect.promise(() => one.authorize(at))

    // Their own logins are for everybody who has the server, and nothing else is: not that of all, and not of a server that they do not have.
    const actions = ["servers/shared/login", "servers/docs/reconnect", "servers/nosuch/login", "servers/%E0/login"]
    for (const path of actions) {
      expect([path, (yield* api("the-token-of-anna", path)).status]).toEqual([path, 403])
    }
    expect((yield* api("the-token-of-nobody", "servers/docs/login")).status).toBe(403)
    const [toAnna, toBen] = [yield* begin("the-token-of-anna"), yield* begin("the-token-of-ben")]
    for (const address of [toAnna, toBen]) expect(address).toMatch(new RegExp(`^${publicUrl}/login/[\\w-]{32}$`))
    expect(toAnna).not.toBe(toBen)
    expect(yield* begin("the-token-of-anna")).toBe(toAnna)
    // That of all stays on this machine, because others are told its address, too.
    const redirects = server.registrations.flatMap((one) => one["redirect_uris"] as ReadonlyArray<string>)
    expect(redirects.filter((one) => !one.startsWith("http://localhost:")))
      .toEqual([`${publicUrl}/login/callback`, `${publicUrl}/login/callback`])

    const [hers, his] = [browser("anna@idp"), browser("ben@idp")]
    const shown = yield* Effect.promise(() => reach(toAnna))
    expect(yield* Effect.promise(() => shown.text()))
      .toMatch(/This lets <strong><bdi>the client anna of this gateway<\/bdi><\/strong> use the server/)
    expect(Object.fromEntries(shown.headers)).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "same-origin",
      "x-frame-options": "DENY",
      "content-security-policy": expect.stringContaining("frame-ancestors 'none'")
    })
    expect((yield* get(hers, toAnna.slice(0, -1))).status).toBe(404)
    expect((yield* get(hers, `${publicUrl}/login/`)).status).toBe(404)
    expect((yield* Effect.promise(() => reach(toAnna, { method: "DELETE" }))).status).toBe(404)
    for (const from of ["https://evil.example", "null", "http://localhost"]) {
      expect([from, (yield* press(hers, toAnna, from)).status]).toEqual([from, 403])
    }
    const opened = yield* press(hers, toAnna, origin)
    const next = Browser.next(opened)
    expect(next).toContain(`${server.origin}/authorize`)

    expect([(yield* press(his, toAnna, origin)).status, (yield* get(his, toAnna)).status]).toEqual([400, 400])
    // A state that was made up, none, and a redirect that he was led to with what she has begun, also once he has begun his own.
    const back = yield* authorize(his, next)
    expect(back).toContain(`${publicUrl}/login/callback?`)
    const forged = (change: (parameters: URLSearchParams) => void) => {
      const url = new URL(back)
      change(url.searchParams)
      return url.href
    }
    const cases = [
      [400, back],
      [400, forged((parameters) => parameters.set("state", "made-up"))],
      [400, forged((parameters) => parameters.delete("state"))]
    ] as const
    for (const [status, address] of cases) {
      expect([(yield* get(his, address)).status, (yield* get(browser("x@idp"), address)).status])
        .toEqual([status, status])
    }
    const hisNext = Browser.next(yield* press(his, toBen, origin))
    expect((yield* get(his, back)).status).toBe(400)
    // Her browser with his state, and his with hers: the cookie of one login is of no use for another.
    const hisBack = yield* authorize(hers, hisNext)
    expect((yield* get(hers, hisBack)).status).toBe(400)
    expect(server.grants("authorization_code")).toEqual([])

    const done = yield* get(hers, yield* authorize(hers, next))
    expect([done.status, done.text]).toEqual([200, expect.stringContaining("Signed in")])
    const [anna, ben] = [yield* talk("the-token-of-anna"), yield* talk("the-token-of-ben")]
    expect(yield* answered(anna)).toBe("anna@idp")
    expect(yield* call(ben, "docs__ask")).toContain(toBen)
    expect((yield* get(hers, yield* authorize(hers, next))).status).toBe(400)
    expect((yield* get(hers, toAnna)).status).toBe(404)
    expect((yield* get(his, yield* authorize(his, hisNext))).status).toBe(200)
    expect(yield* answered(ben)).toBe("ben@idp")
    expect(yield* answered(anna)).toBe("anna@idp")
    expect((yield* api("the-token-of-anna", "servers/docs/login")).body.state).toBe("signed-in")
    expect(program.stdout() + program.stderr()).not.toMatch(/\/login\/|@idp/)
  })

  test.scopedLive.skipIf(Chromium.executable === undefined)(
    Chromium.title("[G22:real] a person who may only look signs in from the status page, in a real browser"),
    function*() {
      const server = yield* AuthServer.make
      const { publicUrl, talk } = yield* gateway(server.url)
      const anna = yield* talk("the-token-of-anna")
      expect(yield* call(anna, "docs__ask")).toContain(`${publicUrl}/login/`)
      const browser = yield* Effect.acquireRelease(
        Effect.promise(() => Chromium.launch()),
        (browser) => Effect.promise(() => browser.close())
      )
      const { page } = yield* Chromium.open(browser, `${publicUrl}/`)
      yield* Effect.promise(async () => {
        // Only the authorization server is told who sits there.
        await page.context().route(
          `${server.origin}/**`,
          (route) => route.continue({ headers: { ...route.request().headers(), "x-account": "anna@idp" } })
        )
        await page.getByLabel("Token").fill("the-token-of-anna")
        await page.keyboard.press("Enter")
        const row = page.getByRole("listitem", { name: "docs", exact: true })
        const button = row.getByRole("button", { name: "Sign in docs" })
        await button.waitFor({ timeout: 60_000 })
        expect(await row.getByRole("button", { name: "Disable docs" }).isVisible()).toBe(false)
        const opening = page.context().waitForEvent("page")
        await button.click()
        const login = await opening
        await login.getByRole("button", { name: "Sign in" }).click()
        await login.getByRole("heading", { name: "Signed in" }).waitFor()
        expect(login.url()).toContain(`${publicUrl}/login/callback?`)
      })
      expect(yield* answered(anna)).toBe("anna@idp")
    }
  )
})
