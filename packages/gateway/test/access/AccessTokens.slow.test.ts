import { Effect } from "effect"
import { everything } from "../../../testing/test/support/Built.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as Gateway from "../support/Gateway.js"
import * as Issuer from "../support/Issuer.js"
import { api } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const serving = Effect.fnUntraced(function*(issuer: Issuer.Issuer) {
  const place = yield* Gateway.place()
  const every = { command: process.execPath, args: [everything, "stdio"] }
  const save = (auth: object | undefined): void => place.save({ every }, { auth })
  save({ issuer: issuer.url })
  const program = yield* place.serve()
  const get = (path: string, token?: string) => api(place.base, token, path)
  const command = (...args: ReadonlyArray<string>) => place.run(args)
  const token = Effect.promise(() => issuer.sign(`${place.base}/mcp`))
  return { command, get, program, save, token }
})

describe("a gateway with lifeline.auth", { timeout: 240_000 }, () => {
  test.scopedLive("[G21:real G6] its page is public and its API is not; commands of its user need no token; it tells nobody of the one that they have", function*() {
    const issuer = yield* Issuer.make
    const { command, get, program, token } = yield* serving(issuer)
    const good = yield* token
    expect((yield* get("/page/Page.mjs")).body).toContain("access token")
    for (const path of ["/api/status", "/metrics", "/mcp"]) expect((yield* get(path)).status).toBe(401)
    expect((yield* get("/api/status", good)).status).toBe(200)
    expect((yield* get("/.well-known/oauth-protected-resource/mcp")).body)
      .toMatchObject({ authorization_servers: [issuer.url] })
    const status = yield* command("status")
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining("every")])
    expect(program.stdout()).not.toMatch(/Bearer|[Tt]oken/)
  })

  test.scopedLive("[G21:real G5] a saved edit applies to the next request; without the option at all it goes on asking", function*() {
    const issuer = yield* Issuer.make
    const { command, get, program, save, token } = yield* serving(issuer)
    const good = yield* token
    const status = Effect.map(get("/api/status", good), ({ status }) => status)
    const until = (wanted: number) =>
      Effect.repeat(Effect.delay(status, "50 millis"), { until: (found) => found === wanted })
    expect(yield* status).toBe(200)
    save({ issuer: issuer.url, claims: { groups: "staff" } })
    yield* until(403)
    yield* eventually(() => /its claim groups is missing/.exec(program.stdout() + program.stderr()) ?? undefined)
    save({ issuer: "http://sso.example.com" })
    yield* eventually(() => /lifeline\.auth\.issuer: is not https/.exec(program.stderr()) ?? undefined)
    expect(yield* status).toBe(403)
    save({ issuer: issuer.url })
    yield* until(200)
    save(undefined)
    yield* eventually(() => /lifeline\.auth: was removed; restart the gateway/.exec(program.stderr()) ?? undefined)
    expect((yield* get("/api/status")).status).toBe(401)
    expect((yield* command("status")).stdout)
      .toMatch(/^The last save, or a part of it, is not in force: .*lifeline\.auth: was removed/m)
  })
})
