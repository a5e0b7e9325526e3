import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { kill } from "../../../testing/test/support/Processes.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { api, HttpTalk, talking } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const { fixture } = Program

const tokenOf = (name: string): string => `${name}-token-that-nobody-guesses`

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const serving = Effect.gen(function*() {
  const { base, path, run, save: saveAll, serve } = yield* Gateway.place(Program.start)
  for (const name of ["ann", "bob", "ci"]) {
    writeFileSync(join(path, `${name}.token`), `${tokenOf(name)}\n`, { mode: 0o600 })
  }
  const own = { ...fixture("who"), env: { WHO: "${client.name}" }, lifeline: { sessions: "per-client" } }
  const rules: Record<string, object> = {
    ann: { tokenFile: "ann.token", admin: true },
    bob: { tokenFile: "bob.token", servers: ["docs", "own"], tools: { hide: ["docs__crash"] } },
    ci: { tokenFile: "ci.token", servers: ["mail"] }
  }
  const save = (clients: object) => saveAll({ docs: fixture("chatty"), mail: fixture("chatty"), own }, { clients })
  save(rules)
  const program = yield* serve()
  yield* Effect.repeat(promise(() => fetch(`${base}/ready`)), { until: ({ status }) => status === 200 })
  return { base, path, url: `${base}/mcp`, run, program, rules, save }
})

const serversOf = async (talk: HttpTalk): Promise<ReadonlyArray<string>> =>
  [...new Set((await talk.tools()).map((name) => name.split("__")[0]!))].toSorted()

const statusOf = (url: string, token: string, session?: string) =>
  promise(async () => {
    const talk = new HttpTalk(url, token)
    talk.session = session
    return (await talk.ask("ping")).status
  })

describe("serve with clients", { timeout: 400_000 }, () => {
  test.scopedLive("[G22:real] three clients see and use what they may, and nobody else gets in", function*() {
    const { base, program, run, url } = yield* serving
    const talk = (name: string) => talking(url, tokenOf(name))
    const [ann, bob, ci] = yield* Effect.all([talk("ann"), talk("bob"), talk("ci")])
    yield* promise(async () => {
      expect(await serversOf(ann)).toEqual(["docs", "mail", "own"])
      expect(await serversOf(bob)).toEqual(["docs", "own"])
      expect(await bob.tools()).not.toContain("docs__crash")
      expect(await ann.tools()).toContain("docs__crash")
      expect(await serversOf(ci)).toEqual(["mail"])
      for (const name of ["mail__pid", "docs__crash"]) {
        expect((await bob.error("tools/call", { name, arguments: {} })).code).toBe(-32_602)
      }
      for (const [talk, name] of [[ann, "ann"], [bob, "bob"]] as const) {
        expect(JSON.parse(await talk.call("own__who")).env.WHO).toBe(name)
      }
      expect((await ci.error("tools/call", { name: "own__who", arguments: {} })).code).toBe(-32_602)
      expect(Number(await ci.call("mail__pid"))).toBeGreaterThan(0)
    })
    const stateless = yield* talking(url, tokenOf("ci"), { isStateless: true })
    expect(yield* promise(() => serversOf(stateless))).toEqual(["mail"])
    expect(yield* Effect.all(["", "nobody", "ann"].map((token) => statusOf(url, token, ann.session))))
      .toEqual([401, 401, 401])
    expect(yield* statusOf(url, tokenOf("bob"), ann.session)).toBe(404)
    expect(yield* statusOf(url, tokenOf("ann"), ann.session)).toBe(200)
    const names = (status: any) => status.body.servers.map(({ name }: { readonly name: string }) => name).toSorted()
    expect(names(yield* api(base, tokenOf("ann"), "/api/status"))).toEqual(["docs", "mail", "own"])
    expect(names(yield* api(base, tokenOf("ci"), "/api/status"))).toEqual(["mail"])
    expect((yield* api(base, tokenOf("ci"), "/api/servers/docs")).status).toBe(404)
    expect((yield* api(base, "nobody", "/api/status")).status).toBe(401)
    // Commands of the user who has started it need no token of a client.
    const status = yield* run(["status"])
    expect([status.code, ["docs", "mail", "own"].filter((name) => !status.stdout.includes(name))]).toEqual([0, []])
    const printed = program.stdout() + program.stderr()
    for (const name of ["ann", "bob", "ci"]) expect(printed).not.toContain(tokenOf(name))
  })

  test.scopedLive("[G22:real G26] tokens are replaced while clients are connected: each goes on with its session, and the old one ends", function*() {
    const { path, program, url } = yield* serving
    const fresh = "a-new-token-that-nobody-guesses"
    const { session } = yield* talking(url, tokenOf("bob"))
    const ann = yield* talking(url, tokenOf("ann"))
    const write = (...tokens: ReadonlyArray<string>) =>
      writeFileSync(join(path, "bob.token"), tokens.map((token) => `${token}\n`).join(""))
    const until = (token: string, wanted: number) =>
      Effect.repeat(Effect.delay(statusOf(url, token, session), "50 millis"), { until: (found) => found === wanted })
    write(fresh, tokenOf("bob"))
    yield* until(fresh, 200)
    expect(yield* statusOf(url, tokenOf("bob"), session)).toBe(200)
    const after = new HttpTalk(url, fresh)
    after.session = session
    expect(yield* promise(() => serversOf(after))).toEqual(["docs", "own"])
    write(fresh)
    yield* until(tokenOf("bob"), 401)
    expect(yield* statusOf(url, fresh, session)).toBe(200)
    expect(yield* statusOf(url, tokenOf("ann"), ann.session)).toBe(200)
    expect(program.stdout() + program.stderr()).not.toContain(fresh)
  })

  test.scopedLive("[G22:real G5] a client that is removed from the file is out, and rules that are saved count at once", function*() {
    const { rules, save, url } = yield* serving
    const [bob, ci] = [yield* talking(url, tokenOf("bob")), yield* talking(url, tokenOf("ci"))]
    expect(yield* promise(() => serversOf(bob))).toEqual(["docs", "own"])
    const { ci: _, ...others } = rules
    save({ ...others, bob: { ...rules["bob"], servers: ["mail"] } })
    const ofCi = Effect.delay(statusOf(url, tokenOf("ci"), ci.session), "50 millis")
    yield* Effect.repeat(ofCi, { until: (status) => status === 401 })
    const ofBob = Effect.delay(promise(() => serversOf(bob)), "50 millis")
    yield* Effect.repeat(ofBob, { until: (servers) => servers.join() === "mail" })
    expect((yield* promise(() => bob.error("tools/call", { name: "docs__pid", arguments: {} }))).code).toBe(-32_602)
  })

  test.scopedLive("[G22:real] kill -9 of servers in the middle of calls keeps everybody apart", function*() {
    const { program, url } = yield* serving
    const everyone = yield* Effect.all(
      ([["ann", 1], ["ann", 2], ["bob", 1], ["bob", 2]] as const).map(([name, number]) =>
        Effect.map(talking(url, tokenOf(name)), (talk) => ({ name, number, talk }))
      )
    )
    const whose = (talk: HttpTalk) =>
      promise(async () => {
        const { env, pid } = JSON.parse(await talk.call("own__who"))
        return { who: env.WHO as string, pid: pid as number }
      })
    for (let round = 0; round < 4; round++) {
      const found = yield* Effect.all(everyone.map(({ talk }) => whose(talk)), { concurrency: "unbounded" })
      expect(found.map(({ who }) => who)).toEqual(everyone.map(({ name }) => name))
      expect(new Set(found.map(({ pid }) => pid)).size).toBe(everyone.length)
      const shared = Number(yield* promise(() => everyone[0]!.talk.call("docs__pid")))
      // Each has a call at the shared server when it dies, with the same progress token, and its own server dies, too.
      const calls = everyone.map(({ name, number, talk }) => {
        const mark = `of-${name}-${number}-${round}`
        return talk.ask("tools/call", {
          name: "docs__progress",
          arguments: { who: mark },
          _meta: { progressToken: "token" }
        }).then(({ answer, said }) => ({ mark, text: JSON.stringify([answer, said]) }))
      })
      kill(shared)
      kill(found[round % found.length]!.pid)
      for (const { mark, text } of yield* promise(() => Promise.all(calls))) {
        expect([...text.matchAll(/of-\w+-\d-\d/g)].filter(([found]) => found !== mark)).toEqual([])
      }
      const next = Number(yield* promise(() => everyone[1]!.talk.call("docs__pid")))
      expect(next).not.toBe(shared)
    }
    for (const { name, number, talk } of everyone) {
      const marks = [...JSON.stringify(talk.heard).matchAll(/of-(\w+)-(\d)-\d/g)]
      expect(marks.filter(([, of, session]) => of !== name || session !== String(number))).toEqual([])
    }
    const stolen = everyone[2]!.talk.session
    expect(yield* statusOf(url, tokenOf("ann"), stolen)).toBe(404)
    expect(program.isRunning()).toBe(true)
  })
})
