import { Effect, Redacted } from "effect"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import * as Served from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const serve = Effect.fnUntraced(function*(options: Served.Options = {}) {
  const { fleet } = yield* ScriptedFleet.make(ScriptedFleet.catalog(1, {}), Served.nothing)
  const { url } = yield* Served.serve(fleet, options)
  return new URL("/", url).href
})

const get = (url: string, options: RequestInit = {}) => Effect.promise(() => fetch(url, options))

describe("the files of the status page", () => {
  test.scopedLive("[G16] all that the page refers to is there, under a policy that lets no text run", function*() {
    const url = yield* serve()
    const found = new Map<string, string>()
    const read = (path: string): Effect.Effect<void> =>
      Effect.gen(function*() {
        const response = yield* get(new URL(path, url).href)
        const text = yield* Effect.promise(() => response.text())
        expect([path, response.status]).toEqual([path, 200])
        found.set(path, text)
        const policy = response.headers.get("content-security-policy") ?? ""
        expect(policy).toContain("default-src 'none'")
        expect(policy).toContain("frame-ancestors 'none'")
        expect(policy).not.toContain("unsafe")
        expect(response.headers.get("x-content-type-options")).toBe("nosniff")
        expect(response.headers.get("referrer-policy")).toBe("no-referrer")
        const named = [...text.matchAll(/"(?:\.\/)?(page\/[^"]+)"|from "\.\/([^"]+)"/g)].map(
          ([, given, imported]) => given === undefined ? `/page/${imported}` : `/${given}`
        )
        for (const next of named) if (!found.has(next)) yield* read(next)
      })
    yield* read("/")
    expect(found.size).toBeGreaterThan(10)
    expect([...found.values()].join("").length).toBeLessThan(100_000)
    // Nothing that the policy forbids, and the browser would refuse, and nothing that makes markup of text but a property of Preact, which is in none of our files.
    expect(found.get("/")).not.toMatch(/\son\w+=|\sstyle=|<style|<script>/)
    for (const [path, text] of found) {
      if (path !== "/page/preact.mjs") expect(text).not.toMatch(/(inner|outer)HTML|insertAdjacent|document\.write/i)
    }
  })

  test.scopedLive("[G16] [G6] the page needs no token and shows nothing without one; what it does not have is not served", function*() {
    const url = yield* serve({ token: Redacted.make("s3cret") })
    expect((yield* get(url)).status).toBe(200)
    for (const path of ["api/status", "api/events", "page/tsconfig.json", "page/types.d.ts"]) {
      expect([path, (yield* get(new URL(path, url).href)).status]).toEqual([path, 401])
    }
    expect((yield* get(new URL("page/..%2fPage.ts", url).href)).status).toBe(400)
    expect((yield* get(url, { headers: { origin: "https://example.com" } })).status).toBe(403)
    expect((yield* Served.bare(url, "GET", { host: "example.com" })).status).toBe(403)
    expect((yield* get(url, { method: "POST" })).status).toBe(405)
  })

  test.scopedLive("[G16] what a browser has already is not sent again", function*() {
    const url = `${yield* serve()}page/style.css`
    const etag = (yield* get(url)).headers.get("etag") ?? ""
    expect(etag).not.toBe("")
    expect((yield* get(url, { headers: { "if-none-match": etag } })).status).toBe(304)
    expect((yield* get(url, { headers: { "if-none-match": `"other"` } })).status).toBe(200)
  })
})
