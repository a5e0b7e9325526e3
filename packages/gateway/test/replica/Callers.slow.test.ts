import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Caller from "../../../http-server/src/Caller.js"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as Issuer from "../support/Issuer.js"
import { describeCluster, ManyGateways, type Replica } from "../support/ManyGateways.js"
import { fixture } from "../support/Program.js"

const patience = 300_000
const audience = "https://mcp.example.com/mcp"
const perMinute = 3

describeCluster("callers of a cluster", () => {
  const scope = Effect.runSync(Scope.make())
  let all: ManyGateways
  let issuer: Issuer.Issuer
  let a: Replica, b: Replica, c: Replica
  /** Headers with the token of somebody. */
  let ann: Record<string, string>, bob: Record<string, string>

  const tokenOf = async (subject: string, claims: object = {}) => ({
    authorization: `Bearer ${await issuer.sign(audience, {
      sub: subject,
      email: `${subject}@example.com`,
      groups: ["staff"],
      ...claims
    })}`
  })
  const ci = { authorization: "Bearer ci-token-of-sixteen" }

  beforeAll(async () => {
    issuer = await Effect.runPromise(Scope.extend(Issuer.make, scope))
    all = await ManyGateways.start(3, {
      servers: [],
      entries: {
        shared: fixture("chatty"),
        hidden: fixture("chatty"),
        own: {
          ...fixture("who"),
          env: { WHO: "${client.claim.sub} <${client.claim.email}>" },
          lifeline: { sessions: "per-client" }
        }
      },
      lifeline: {
        auth: { issuer: issuer.url, audience },
        groups: { groups: { staff: { servers: { hide: ["hidden"] } } } },
        clients: { ci: { token: "ci-token-of-sixteen", servers: ["shared"], callsPerMinute: perMinute } }
      },
      // One test waits for the end of a lease.
      lease: "15s"
    })
    ;[a, b, c] = all.replicas as [Replica, Replica, Replica]
    ;[ann, bob] = [await tokenOf("ann"), await tokenOf("bob")]
  }, patience)
  afterAll(async () => {
    await all[Symbol.asyncDispose]()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }, patience)

  const send = async (replica: Replica, headers: Record<string, string>, body?: object, method = "POST") => {
    const answered = await Raw.send(replica.url.href, method, headers, body)
    const text = await answered.body
    const data = text.split("\n").findLast((line) => line.startsWith("data: {"))
    const json = data?.slice("data: ".length) ?? (text.startsWith("{") ? text : "{}")
    return { status: answered.status, ...JSON.parse(json) as Raw.Message }
  }
  const ping = { id: 1, method: "ping" }
  const callOf = (name: string, args: object = {}) => ({
    id: 2,
    method: "tools/call",
    params: { name, arguments: args }
  })
  const begin = (replica: Replica, who: Record<string, string>) => Raw.begin(replica.url.href, undefined, who)
  const as = (who: Record<string, string>, session: Readonly<Record<string, string>>) => ({ ...session, ...who })
  const who = async (replica: Replica, session: Readonly<Record<string, string>>) => {
    const { result, ...other } = await send(replica, session, callOf("own__who"))
    if (result === undefined || result.isError === true) throw new Error(JSON.stringify({ result, ...other }))
    const { env, pid } = JSON.parse(result.content[0].text)
    return { who: env.WHO as string, pid: pid as number }
  }
  const eventually = async <A>(work: () => Promise<A>): Promise<A> => {
    const until = Date.now() + patience
    while (true) {
      try {
        return await work()
      } catch (error) {
        if (Date.now() > until) throw error
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
    }
  }

  it("[G22:real G21 D3] a session is its subject's at each replica, and unknown to everybody else", async () => {
    const session = await begin(a, ann)
    // Renewed tokens are of the same subject.
    const renewed = await tokenOf("ann", { iat: Math.floor(Date.now() / 1000) - 1 })
    for (const replica of [a, b, c]) {
      for (const who of [ann, renewed]) expect((await send(replica, as(who, session), ping)).status).toBe(200)
      for (const who of [bob, ci]) {
        expect((await send(replica, as(who, session), ping)).status).toBe(404)
        expect((await send(replica, as(who, session), undefined, "DELETE")).status).toBe(404)
        const stream = await Raw.send(replica.url.href, "GET", { ...as(who, session), accept: "text/event-stream" })
        expect(stream.status).toBe(404)
        await stream.body
      }
      expect((await send(replica, as({ authorization: "Bearer nobody" }, session), ping)).status).toBe(401)
    }
    expect((await send(b, session, ping)).status).toBe(200)
    expect((await send(c, session, undefined, "DELETE")).status).toBe(200)
    for (const replica of [a, b, c]) expect((await send(replica, session, ping)).status).toBe(404)
  })

  it("[G22:real D3] what a subject may use is the same at each replica, for requests that are passed on, too", async () => {
    const sessions = [await begin(a, ann), await begin(b, ci)]
    const toolsAt = async (replica: Replica, session: Readonly<Record<string, string>>) => {
      const { result } = await send(replica, session, { id: 3, method: "tools/list" })
      const names: ReadonlyArray<string> = result.tools.map(({ name }: { name: string }) => name.split("__")[0])
      return [...new Set(names)].toSorted()
    }
    for (const replica of [a, b, c]) {
      expect(await eventually(() => toolsAt(replica, sessions[0]!))).toEqual(["lifeline", "own", "shared"])
      expect(await toolsAt(replica, sessions[1]!)).toEqual(["lifeline", "shared"])
      const refused = await send(replica, sessions[0]!, callOf("hidden__pid"))
      expect(JSON.stringify([refused.error, refused.result])).toContain("there is no server")
    }
  })

  it("[G22:real X6] the caller travels with what is passed on, and no header of a client says who it is", async () => {
    const [annsOwn, bobsOwn] = [await begin(a, ann), await begin(b, bob)]
    const forged = (subject: string) => ({
      "lifeline-caller": Caller.encode({ subject, name: subject, claims: { email: `${subject}@example.com` } }),
      "lifeline-authorization": "Bearer forged",
      "lifeline-home": "forged"
    })
    const subject = (name: string) => `${issuer.url} ${name}`
    for (const replica of [a, b, c]) {
      for (const name of ["bob", subject("bob")]) {
        expect((await who(replica, { ...annsOwn, ...forged(name) })).who).toBe("ann <ann@example.com>")
      }
      expect((await who(replica, bobsOwn)).who).toBe("bob <bob@example.com>")
      for (const name of ["ann", subject("ann"), ""]) {
        expect((await send(replica, { ...as(bob, annsOwn), ...forged(name) }, ping)).status).toBe(404)
      }
    }
    // Where replicas listen for each other, nobody without their key gets in, whoever he says that he is.
    for (const { clusterPort } of all.replicas) {
      for (const path of ["/cluster/sessions", "/cluster/servers/shared", "/cluster/gateway/api/status", "/mcp"]) {
        const answered = await Raw.send(
          `http://127.0.0.1:${clusterPort}${path}`,
          "POST",
          { ...annsOwn, ...forged("ann") },
          ping
        )
        await answered.body
        expect([path, answered.status]).toEqual([path, path === "/mcp" ? 404 : 403])
      }
    }
  })

  it("[G22:real] the rate of a client counts at the home of its session, whichever replica gets its calls", async () => {
    const session = await begin(a, ci)
    const answers: Array<boolean> = []
    const waits: Array<unknown> = []
    for (let number = 0; number < perMinute + 3; number++) {
      const { result } = await send(all.replicas[number % 3]!, session, callOf("shared__pid"))
      answers.push(result.isError === true)
      waits.push(result["_meta"]?.["mcp-lifeline/retryAfter"])
    }
    // A slow machine may take so long that one more call is allowed.
    expect(answers.slice(0, perMinute)).toEqual(Array.from({ length: perMinute }, () => false))
    expect(answers.slice(perMinute)).toContain(true)
    expect(waits.map((wait) => typeof wait === "number")).toEqual(answers)
    // Another replica counts by itself, for the sessions that live there.
    const other = await begin(b, ci)
    expect((await send(c, other, callOf("shared__pid"))).result.isError).not.toBe(true)
  })

  it("[G22:real D4] when the home of sessions is killed, each subject's own servers stay its own", async () => {
    const [first, second, third] = [await begin(a, ann), await begin(a, bob), await begin(b, ann)]
    const before = [await who(c, first), await who(b, second), await who(c, third)]
    expect(before.map(({ who }) => who))
      .toEqual(["ann <ann@example.com>", "bob <bob@example.com>", "ann <ann@example.com>"])
    expect(new Set(before.map(({ pid }) => pid)).size).toBe(3)
    expect(before.map(({ pid }) => all.owner(pid))).toEqual([a, a, b])
    await a.end("SIGKILL")
    // All at once, at both replicas that are left: the right ones and those who try.
    const trials = [b, c].flatMap((replica) => [
      eventually(() => who(replica, first)).then((found) => ({ first: found })),
      eventually(() => who(replica, second)).then((found) => ({ second: found })),
      ...[as(bob, first), as(ci, first), as(ann, second)].map((session) =>
        send(replica, session, callOf("own__who")).then(({ status }) => ({ status }))
      )
    ])
    const found: ReadonlyArray<Record<string, any>> = await Promise.all(trials)
    const of = (name: string) => found.flatMap((one) => one[name] ?? [])
    expect(new Set(of("first").map(({ who }) => who))).toEqual(new Set(["ann <ann@example.com>"]))
    expect(new Set(of("second").map(({ who }) => who))).toEqual(new Set(["bob <bob@example.com>"]))
    // A replica that knows of no home for a while says so (503), and nothing else.
    expect(of("status").filter((status) => status !== 404 && status !== 503)).toEqual([])
    const after = [await who(c, first), await who(c, second), await who(b, third)]
    expect(after.map(({ who }) => who)).toEqual(before.map(({ who }) => who))
    expect(after[2]).toEqual(before[2])
    expect(new Set(after.map(({ pid }) => pid)).size).toBe(3)
    for (const replica of [b, c]) {
      for (const session of [as(bob, first), as(ci, first), as(ann, second), as(bob, third)]) {
        expect((await send(replica, session, ping)).status).toBe(404)
      }
    }
  })
})
