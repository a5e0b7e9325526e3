import type { IncomingMessage } from "node:http"
import { describe, expect, it } from "vitest"
import { LoginPage } from "../src/LoginPage.js"

const origin = "http://localhost:7332"
const target = "https://idp.example/authorize?a=1&state=<x>"

const make = (server = "https://docs.example/mcp") => {
  const page = new LoginPage({ person: { identity: "anna" }, server })
  const ask = (method: string, headers: Record<string, string> = {}, path = page.path) =>
    page.answer({ method, headers } as object as IncomingMessage, path, origin)
  const status = (...args: Parameters<typeof ask>) => ask(...args)?.status
  const isOwn = (cookie?: string) =>
    page.isOwn({ headers: cookie === undefined ? {} : { cookie } } as object as IncomingMessage)
  const open = () => (ask("POST", { origin })?.headers["set-cookie"] ?? "").split(";")[0] ?? ""
  return { page, ask, status, isOwn, open }
}

describe("the page at which a login begins", () => {
  it("[G22:unit] is at a path that nobody can guess, from when it is known where the login goes on", () => {
    const [{ page, status }, other] = [make(), make()]
    expect(page.path).toMatch(/^\/sign-in\/[\w-]{32}$/)
    expect(page.path).not.toBe(other.page.path)
    expect(status("GET")).toBeUndefined()
    page.begin(target)
    expect(status("GET")).toBe(200)
    for (const path of [other.page.path, "/sign-in/", `${page.path}x`, page.path.slice(0, -1), "/"]) {
      expect([path, status("GET", {}, path), status("POST", { origin }, path)]).toEqual([path, undefined, undefined])
    }
    for (const method of ["PUT", "HEAD", "OPTIONS"]) expect(status(method)).toBeUndefined()
  })

  it("[G22:unit] is opened by its own button only: what a page of another site sends changes nothing", () => {
    const { ask, isOwn, page, status } = make()
    page.begin(target)
    for (const other of ["http://localhost:7333", "https://evil.example", "null", "", `${origin}/`]) {
      expect(status("POST", { origin: other })).toBe(403)
    }
    expect(ask("POST")).toMatchObject({ status: 403 })
    expect(ask("POST")?.headers).not.toHaveProperty("set-cookie")
    expect([status("GET"), isOwn()]).toEqual([200, false])
  })

  it("[G22:unit] is from then on that of one browser, for which it stays what it was", () => {
    const { ask, isOwn, open, page, status } = make()
    page.begin(target)
    const cookie = open()
    const [name = "", value = ""] = cookie.split("=")
    expect(name).toMatch(/^lifeline-login-[\da-f]{16}$/)
    expect(value).toMatch(/^[\w-]{32}$/)
    const other = make()
    other.page.begin(target)
    const altered = [`${name}=`, `${name}=${value}x`, `${name}=${value.slice(0, -1)}`, `${name}x=${value}`]
    for (const one of [undefined, "", ...altered, `x${cookie}`, `a=${cookie}`, other.open()]) {
      const headers = one === undefined ? {} : { cookie: one }
      const seen = [isOwn(one), status("GET", headers), status("POST", { origin, ...headers })]
      expect([one, ...seen]).toEqual([one, false, 400, 400])
    }
    for (const one of [cookie, `a=b; ${cookie}`, `${cookie};a=b`, ` ${cookie} `]) {
      expect([one, isOwn(one), status("GET", { cookie: one })]).toEqual([one, true, 200])
    }
    expect(ask("POST", { origin, cookie })?.headers["set-cookie"]).toBe(
      `${cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age=900`
    )
    expect(isOwn(cookie)).toBe(true)
  })

  it("[G22:unit A4] shows what others have written as texts, and is embedded and kept nowhere", () => {
    const policy = /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/
    const { ask, page } = make(`https://docs.example/<script>"`)
    page.begin(target)
    for (const answer of [ask("GET"), ask("POST"), ask("POST", { origin }), ask("GET")]) {
      expect(answer?.body).not.toContain("<script>")
      expect(answer?.body).not.toContain("<x>")
      expect(answer?.headers).toMatchObject({
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "content-security-policy": expect.stringMatching(policy)
      })
    }
    const again = make()
    again.page.begin(target)
    expect(again.ask("POST", { origin })?.body).toContain(
      `<meta http-equiv="refresh" content="0;url=https://idp.example/authorize?a=1&#38;state=&#60;x&#62;">`
    )
  })
})
