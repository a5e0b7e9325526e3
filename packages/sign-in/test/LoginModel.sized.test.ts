/** Interleavings of processes that want the same login, people, and an authorization server that is away or slow. */
import { Simulation } from "@mcp-lifeline/testing"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Cause, Deferred, Effect, Exit, type Fiber, FiberId, Redacted, Ref } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { bySize } from "../../testing/test/support/bySize.js"
import type { Discovered } from "../src/Discovery.js"
import * as Grant from "../src/Grant.js"
import { overdue } from "../src/Login.js"
import * as LoginRun from "../src/LoginRun.js"
import * as PendingLogin from "../src/PendingLogin.js"
import * as scopes from "../src/scopes.js"
import { grant, issuer, server } from "./support/grants.js"
import { MemoryState, type Written } from "./support/MemoryState.js"
import { subjectOf } from "./support/SignIns.js"
import { json, metadataOf } from "./support/StubNetwork.js"

const account = "default"

const discovered: Discovered = {
  issuer,
  metadata: metadataOf(issuer),
  resource: server,
  isGuessed: false,
  scopes: undefined
}

type Wanted = Pick<LoginRun.Request, "person" | "scope"> & {
  readonly hasBrowser: boolean
  readonly isUnknown: boolean
}

type Command =
  | { readonly do: "start"; readonly wanted: Wanted }
  | { readonly do: "end"; readonly nth: number }
  | { readonly do: "find"; readonly nth: number }
  | { readonly do: "answer"; readonly nth: number; readonly isGranted: boolean }
  | { readonly do: "network"; readonly is: "good" | "away" | "slow" }
  | { readonly do: "step"; readonly count: number }
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "hold" }
  | { readonly do: "elsewhere" }
  /** The earliest timer fires, or answers come, and nothing goes on yet. */
  | { readonly do: "fire" | "turn" }

const [nth, millis] = [fc.nat(3), fc.constantFrom(0, 1, 200, 1000, 1000, 2000, 5000)]
const nearTheEnd = fc.constantFrom(593_000, 600_000)
const wanted: fc.Arbitrary<Wanted> = fc.record({
  scope: fc.constantFrom("a", "a", "a", "a b", undefined),
  person: fc.constantFrom(...Array<undefined>(6).fill(undefined), { identity: "anna" }),
  hasBrowser: fc.boolean(),
  isUnknown: fc.constantFrom(...Array<false>(6).fill(false), true)
})
/** Commands of a kind, with what is generated for them. */
const often = <D extends Command["do"], M extends object>(weight: number, kind: D, model: M) => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(kind), ...model })
})
const command = fc.oneof(
  often(8, "start", { wanted }),
  often(3, "end", { nth }),
  often(1, "find", { nth }),
  often(4, "answer", { nth, isGranted: fc.constantFrom(true, true, false) }),
  often(3, "network", { is: fc.constantFrom("good", "good", "away", "slow", "slow") }),
  often(3, "step", { count: fc.nat(40) }),
  often(8, "advance", { millis }),
  often(1, "advance", { millis: nearTheEnd }),
  often(1, "elsewhere", {}),
  often(1, "fire", {}),
  often(1, "hold", {}),
  often(1, "turn", {})
) as fc.Arbitrary<Command>

interface Run extends Wanted {
  readonly id: string
  readonly fiber: Fiber.RuntimeFiber<Grant.Grant, { readonly _tag: string }>
  readonly before: Grant.Grant | undefined
  readonly adopted: Deferred.Deferred<Grant.Grant>
  shown: string | undefined
  isEnded: boolean
}

interface Login {
  readonly maker: Run
  readonly kept: PendingLogin.PendingLogin
  isDenied: boolean
  isRedeemed: boolean
}

const seen = { inherited: 0, watched: 0, opened: 0, late: 0, overdue: 0 }

const faultsOf = async (commands: ReadonlyArray<Command>, seed: number, maxOps: number) => {
  const sim = new Simulation.Simulation({ seed, maxOps })
  const faults: Array<string> = []
  const fault = (text: string) => void faults.push(`${text}, at ${sim.now}`)
  const runs: Array<Run> = []
  const logins = new Map<string, Login>()
  let owner: Run | undefined
  const opened = new Map<string, number>()
  const toOpen = new Map<string, number>()
  const saved = new Set<string>()
  const given: Array<{ readonly access: string; readonly to: Run }> = []
  const visits = new Set<Promise<unknown>>()
  let calm = 0
  let meanwhile = new Set<string>()
  let network: "good" | "away" | "slow" = "good"
  let waiting: Array<() => void> = []
  let clients = 0

  const isOver = ({ fiber }: Run) => fiber.unsafePoll() !== null
  const keyOf = ({ state }: PendingLogin.PendingLogin) => Redacted.value(state)
  const loginOf = (run: Run) => [...logins.values()].find(({ kept }) => kept.address === run.shown)
  const fits = (kept: PendingLogin.PendingLogin, run: Run, unknown: string | undefined) =>
    kept.isPersonal !== true && scopes.covers(kept.scope, run.scope) && kept.until - sim.now >= 5000 &&
    kept.client.id !== unknown

  let before: PendingLogin.PendingLogin | undefined
  const unknownTo = new Map<string, string>()
  const written = ({ collection, holder, value }: Written) => {
    if (collection === "grants" && value !== undefined) {
      saved.add(Redacted.value((value as Grant.Grant).access))
      if (runs.find(({ id }) => id === holder)?.isEnded === true) seen.late++
      calm = 0
      meanwhile = new Set(memory.held.values())
    }
    if (collection !== "logins") return
    const login = value as PendingLogin.PendingLogin | undefined
    const last = before
    before = login
    if (login === undefined) return
    if (login.opened && last?.opened === false && last.address === login.address) toOpen.set(login.address, sim.now)
    if (logins.has(keyOf(login))) return
    const run = runs.find(({ id }) => id === holder)!
    if (last !== undefined && fits(last, run, unknownTo.get(holder))) {
      fault(`${holder} begins a login beside one that fits`)
    }
    const tokens = stored()
    if (tokens !== undefined && !Grant.isSame(tokens, run.before) && !meanwhile.has(holder)) {
      fault(`${holder} asks a person though there are tokens`)
    }
    if (login.client.id === unknownTo.get(holder)) fault(`${holder} goes on with a client that is not known`)
    logins.set(keyOf(login), { maker: run, kept: login, isDenied: false, isRedeemed: false })
  }
  const memory = new MemoryState(written)
  const stored = () => memory.now("grants", Grant.Grant, Grant.key({ issuer, server, account }))
  const keptAddress = () => memory.now("logins", PendingLogin.PendingLogin, "it")?.address

  const answerToken = (run: Run, form: URLSearchParams): Response => {
    const login = logins.get(form.get("code") ?? "")
    if (login === undefined) return json(400, { error: "invalid_grant" })
    if (login.maker !== run) {
      seen.inherited++
      const { kept, maker } = login
      if (kept.isPersonal === true) fault(`${run.id} goes on with the login of a person in ${maker.id}`)
      if (!scopes.covers(kept.scope, run.scope)) fault(`${run.id} goes on with a login for less`)
      if (kept.client.id === unknownTo.get(run.id)) fault(`${run.id} goes on with a client that is not known`)
      if (!maker.isEnded) fault(`${run.id} and ${maker.id} go on with one login`)
    }
    if (login.isRedeemed) {
      fault(`${run.id} uses a code that was used`)
      return json(400, { error: "invalid_grant" })
    }
    login.isRedeemed = true
    const access = `token-${given.length}`
    given.push({ access, to: run })
    return json(200, { access_token: access, token_type: "Bearer" })
  }

  const fetchOf = (run: () => Run): FetchLike => async (url, init) => {
    const { pathname } = new URL(url)
    await Promise.resolve()
    if (network === "away") return json(503, {})
    const form = new URLSearchParams(String(init?.body))
    const response = pathname === "/register"
      ? json(201, { client_id: `client-${++clients}` })
      : answerToken(run(), form)
    if (network === "slow") await new Promise<void>((resume) => waiting.push(resume))
    return response
  }
  const release = () => {
    for (const resume of waiting) resume()
    waiting = []
  }

  /** How many turns are waited for sockets and threads: a browser is on its way, or a listener opens. */
  const patience = () => {
    const opens = network === "good" &&
      runs.some((run) => !isOver(run) && memory.held.get("login-it") === run.id && owner !== run)
    return opens ? 20_000 : visits.size > 0 ? 300 : 0
  }
  const settle = async () => {
    for (let [quiet, turns] = [0, 0]; quiet < 3 || turns < patience(); quiet++, turns++) {
      while (sim.step()) quiet = 0
      await new Promise((resume) => setImmediate(resume))
    }
  }
  const pass = async (millis: number, parts: number) => {
    await settle()
    for (let part = 0; part < parts; part++) {
      sim.advance(millis / parts)
      await settle()
      calm = network === "good" && millis <= 5000 * parts ? calm + millis / parts : 0
    }
  }

  const ended = (run: Run, exit: Exit.Exit<Grant.Grant, { readonly _tag: string; readonly code?: string }>) => {
    if (Exit.isSuccess(exit)) {
      if (Grant.isSame(exit.value, run.before)) fault(`${run.id} ends with the tokens that it had`)
      if (!saved.has(Redacted.value(exit.value.access))) fault(`${run.id} ends with tokens that are not kept`)
      return
    }
    if (!Cause.isFailType(exit.cause)) return run.isEnded ? undefined : fault(`${run.id} dies: ${exit.cause}`)
    const { error } = exit.cause
    if (error._tag !== "Refused") return
    if (error === overdue) seen.overdue++
    else if (error.code !== "access_denied") fault(`${run.id} ends with ${error.code}`)
    else if (loginOf(run)?.isDenied !== true) fault(`${run.id} was not denied`)
  }

  const start = (wanted: Wanted) => {
    const id = `run ${runs.length}`
    const folder = memory.of(id)
    const client = [...logins.values()].at(-1)?.kept.client.id
    const unknownClient = wanted.isUnknown ? client : undefined
    if (unknownClient !== undefined) unknownTo.set(id, unknownClient)
    const adopted = Deferred.unsafeMake<Grant.Grant>(FiberId.none)
    const made = { id, before: stored(), adopted, shown: undefined, isEnded: false, fiber: undefined as never }
    const run: Run = { ...wanted, ...made }
    runs.push(run)
    const { person, scope } = wanted
    const fiber = sim.fork(LoginRun.run({
      subject: subjectOf(folder, { id: "it", scope }),
      fetch: fetchOf(() => run),
      discovered,
      scope,
      stepUp: false,
      person,
      places: [{ host: "127.0.0.1", port: 0, path: "/callback" }],
      publicRedirects: undefined,
      browser: !wanted.hasBrowser ? undefined : {
        open: (address) =>
          Effect.sync(() => {
            seen.opened++
            opened.set(address, (opened.get(address) ?? 0) + 1)
            if (toOpen.get(address) !== sim.now) fault(`${id} opens a browser for a login that is over`)
            return true
          })
      },
      before: run.before,
      refusedLogins: Ref.unsafeMake<ReadonlyArray<LoginRun.RefusedLogin>>([]),
      trusts: ({ id }) => id !== unknownClient,
      adopted: Deferred.await(adopted),
      onWaiting: ({ address }) =>
        Effect.sync(() => {
          run.shown = address
          if (memory.held.get("login-it") === id) owner = run
          else seen.watched++
        })
    }))
    Object.assign(run, { fiber })
    fiber.addObserver((exit) => ended(run, exit as never))
  }

  const comeBack = ({ kept: { address, redirect } }: Login, answer: Record<string, string>) => {
    const back = new URL(redirect)
    const state = new URL(address).searchParams.get("state") ?? ""
    for (const [name, value] of Object.entries({ state, ...answer })) back.searchParams.set(name, value)
    const visit = fetch(back).then((shown) => shown.text(), () => {}).finally(() => visits.delete(visit))
    visits.add(visit)
  }

  const check = () => {
    const live = runs.filter((run) => !isOver(run))
    for (const [name, holder] of memory.held) {
      if (!live.some(({ id }) => id === holder)) fault(`${holder} has ended with the lock ${name}`)
    }
    const address = keptAddress()
    if (owner !== undefined && isOver(owner) && !owner.isEnded && address === owner.shown) {
      fault(`the login of ${owner.id} is kept`)
    }
    for (const { isRedeemed, kept } of logins.values()) {
      if (kept.address === address && isRedeemed && waiting.length === 0) {
        fault(`a login that is done is kept: ${address}`)
      }
    }
    for (const [address, times] of opened) if (times > 1) fault(`${address} was opened ${times} times`)
    const tokens = stored()
    if (calm < 10_000 || tokens === undefined) return
    for (const run of live) if (!Grant.isSame(tokens, run.before)) fault(`${run.id} waits though there are tokens`)
  }

  let holding: Fiber.RuntimeFiber<unknown> | undefined
  const hold = (isHeld: boolean) => {
    if (holding !== undefined) holding.unsafeInterruptAsFork(holding.id())
    const lock = memory.of("a slow process").lock("browser-it")
    holding = isHeld ? sim.fork(Effect.scoped(Effect.zipRight(lock, Effect.never))) : undefined
  }

  for (const one of commands) {
    switch (one.do) {
      case "start":
        if (runs.filter((run) => !isOver(run)).length < 4) start(one.wanted)
        break
      case "end": {
        const live = runs.filter((run) => !isOver(run))
        const run = live[one.nth % Math.max(1, live.length)]
        if (run === undefined) break
        run.isEnded = true
        run.fiber.unsafeInterruptAsFork(run.fiber.id())
        break
      }
      case "find": {
        const [run, grant] = [runs[one.nth % Math.max(1, runs.length)], stored()]
        if (run === undefined || grant === undefined || Grant.isSame(grant, run.before)) break
        Deferred.unsafeDone(run.adopted, Exit.succeed(grant))
        break
      }
      case "answer": {
        const open = [...logins.values()].filter(({ isDenied, isRedeemed, kept }) =>
          !isDenied && !isRedeemed && kept.isPersonal !== true
        )
        const login = open.at(-1 - one.nth % Math.max(1, open.length))
        if (login === undefined) break
        login.isDenied = !one.isGranted
        comeBack(login, one.isGranted ? { code: keyOf(login.kept) } : { error: "access_denied" })
        break
      }
      case "network":
        network = one.is
        if (network !== "slow") release()
        break
      case "step":
        for (let i = 0; i < one.count; i++) sim.step()
        break
      case "fire":
        sim.fire()
        break
      case "hold":
        hold(holding === undefined)
        break
      case "turn":
        await new Promise((resume) => setImmediate(resume))
        break
      case "advance":
        await pass(one.millis, one.millis > 5000 ? 4 : Math.ceil(one.millis / 500))
        if (holding === undefined) check()
        else calm = 0
        break
      case "elsewhere":
        elsewhere()
    }
  }

  function elsewhere() {
    const access = `token-elsewhere-${saved.size}-${sim.now}`
    const grants = Grant.grants(memory.of("a command"))
    const method = "credentials"
    const client = { origin: "configured", id: "robot", redirects: [] } as const
    sim.fork(
      Effect.suspend(() =>
        Grant.save(grants, grant({ method, client, access: Redacted.make(access), obtainedAt: sim.now }))
      )
    )
  }

  network = "good"
  release()
  hold(false)
  await pass(1000, 5)
  elsewhere()
  await pass(12_000, 12)
  for (let turns = 0; turns < 200 && visits.size > 0; turns++) await pass(1000, 1)
  check()
  for (const run of runs) {
    if (isOver(run)) continue
    fault(`${run.id} waits for ever`)
    run.fiber.unsafeInterruptAsFork(run.fiber.id())
  }
  for (const { access, to } of given) if (!saved.has(access)) fault(`${access}, given to ${to.id}, is lost`)
  await pass(1000, 1)
  if (memory.held.size > 0) fault(`locks are held for ever: ${[...memory.held.keys()].join()}`)
  if (sim.timers > 0) fault(`${sim.timers} timers are left`)
  await Promise.all(visits)
  return faults
}

const start = (more: Partial<Wanted> = {}): Command => {
  const plain = { scope: "a", person: undefined, hasBrowser: true, isUnknown: false }
  return { do: "start", wanted: { ...plain, ...more } }
}
const answer = (isGranted: boolean): Command => ({ do: "answer", nth: 0, isGranted })
const after = (millis: number): Command => ({ do: "advance", millis })
const is = (is: "good" | "slow"): Command => ({ do: "network", is })
const [end, hold, elsewhere, turned] = [
  { do: "end", nth: 0 },
  { do: "hold" },
  { do: "elsewhere" },
  { do: "turn" }
] as const satisfies ReadonlyArray<Command>
const waiting = (more: Partial<Wanted> = {}) => [start(more), after(0)]
const [slowly, over, noBrowser] = [[is("slow"), answer(true), after(1000)], [end, after(0)], { hasBrowser: false }]

/** What generated commands meet too rarely. */
const rare: ReadonlyArray<ReadonlyArray<Command>> = [
  // A process ends while its tokens are on their way; of two later ones, the second goes on with the login of the first.
  [...waiting(), ...slowly, end, is("good"), after(0), ...waiting(), end, ...waiting(), answer(true), after(1000)],
  // Who began a login ends, another process begins another one, and a third one, which was about to open a browser for the first, goes on.
  [...waiting(noBrowser), hold, start({ ...noBrowser, scope: "a b" }), start(), after(200), ...over, hold, after(200)],
  [...waiting({ person: { identity: "anna" } }), end, start(), after(1000)],
  [...waiting(), end, start({ isUnknown: true }), after(1000)],
  [...waiting(), start(), elsewhere, after(1000)],
  // A process that was refused ends while another one takes its time with the login that is kept, so that it cannot put it away.
  [...waiting(), hold, answer(false), after(1000), ...over, ...waiting(), hold, after(600_000), ...waiting()],
  // A process that may open a browser begins to wait so many steps after the answer that ends the login.
  ...Array.from({ length: 8 }, (_, count): ReadonlyArray<Command> => {
    const answered = [...waiting(noBrowser), ...slowly, is("good"), turned]
    return [...answered, { do: "step", count }, ...waiting()]
  })
]

it(
  "[A2 A4:virtual] however processes begin, end and wait, each login has one owner and one browser, no tokens are lost, and nothing is kept that is over",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 20, maxLength: 50 }),
        fc.nat(1000),
        fc.constantFrom(20, 200, 2048),
        async (...run) => {
          expect((await faultsOf(...run)).slice(0, 5)).toEqual([])
        }
      ),
      {
        numRuns: bySize(20, 60),
        examples: rare.map((commands) => [commands, 1, 2048]),
        endOnFailure: process.env["LIFELINE_SHRINK"] === undefined
      }
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
  }
)
