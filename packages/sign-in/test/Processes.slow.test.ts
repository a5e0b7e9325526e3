import { Effect, Schedule } from "effect"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { eventually, kill } from "../../testing/test/support/Processes.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as AuthServer from "./support/AuthServer.js"
import * as Signer from "./support/Signer.js"

const setup = (hold: boolean) =>
  Effect.gen(function*() {
    const server = yield* AuthServer.make
    const state = yield* folder
    const browser = yield* Signer.browser(hold)
    return { server, state, browser, start: Signer.start({ url: server.url, state, browser: browser.command }) }
  })

const connected = (signer: Signer.Signer) => signer.next(({ backend }) => backend === "Connected")

describe("a login among processes", () => {
  test.scopedLive("[A4] when the process that waits for a login is killed, another one finishes it, at the same address", function*() {
    const { browser, server, start } = yield* setup(true)
    const leader = yield* start
    const shown = yield* leader.next(({ _tag }) => _tag === "LoginNeeded")
    const sibling = yield* start
    expect((yield* sibling.next(({ _tag }) => _tag === "LoginNeeded")).address).toBe(shown.address)
    yield* eventually(() => browser.opened().length > 0 ? true : undefined)
    kill(leader.pid)
    yield* leader.closed
    // The sibling needs a moment to take the listener over.
    const { text } = yield* Effect.retry(Signer.visit(shown.address ?? ""), Schedule.spaced("50 millis"))
    expect(text).toContain("Signed in")
    yield* connected(sibling)
    expect(browser.opened()).toEqual([shown.address])
    expect(server.registrations).toHaveLength(1)
  })

  test.scopedLive("[A2] what is kept survives a restart, for the user alone, and without the value of any header", function*() {
    const { browser, server, start, state } = yield* setup(false)
    const first = yield* start
    yield* connected(first)
    first.end()
    yield* first.closed
    const again = yield* start
    yield* connected(again)
    expect(browser.opened()).toHaveLength(1)
    expect(server.grants("authorization_code")).toHaveLength(1)
    const files = readdirSync(state, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"))
    expect(files.map((name) => name.split("/")[0])).toEqual(expect.arrayContaining(["clients", "grants"]))
    for (const name of files) expect((statSync(join(state, name)).mode & 0o777).toString(8)).toBe("600")
    expect(readFileSync(join(state, files.find((name) => name.startsWith("grants")) ?? ""), "utf8")).toContain(
      server.url
    )
  })

  test.scopedLive("[A2] a process that is killed while it refreshes leaves the others able to go on", function*() {
    const { server, start } = yield* setup(false)
    const [one, two] = [yield* start, yield* start]
    yield* connected(one)
    yield* connected(two)
    // It may still be reading its lists, and would be the one that refreshes.
    process.kill(two.pid, "SIGSTOP")
    server.expire()
    const before = server.tokensAsked()
    server.knobs.tokenStatus = 503
    server.knobs.tokenDelay = 60_000
    one.call()
    yield* eventually(() => server.tokensAsked() > before ? true : undefined)
    kill(one.pid)
    server.knobs.tokenStatus = undefined
    server.knobs.tokenDelay = 0
    process.kill(two.pid, "SIGCONT")
    expect((yield* Signer.call(two)).called).toBe(true)
  })
})
