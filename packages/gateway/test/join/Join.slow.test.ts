import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { everything, gateway } from "../../../testing/test/support/Built.js"
import { Host, isGuess } from "../support/Host.js"
import { alive, family, kill } from "../support/Program.js"

const script = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))

/** A configuration with a server that says its pid, and another one, in a folder that goes with the test, with all that was started. */
const place = (): AsyncDisposable & { readonly file: string; readonly state: string } => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-join-"))
  const file = join(folder, "mcp.json")
  const state = join(folder, "state")
  const started = (...args: ReadonlyArray<string>) => ({ command: process.execPath, args })
  writeFileSync(file, JSON.stringify({ mcpServers: { who: started(script), every: started(everything, "stdio") } }))
  return {
    file,
    state,
    [Symbol.asyncDispose]: async () => {
      for (const { pid } of running(state)) for (const one of [pid, ...family(pid)]) kill(one)
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

type Place = ReturnType<typeof place>

interface Running {
  readonly pid: number
  readonly url: string
  readonly token: string
}

const running = (state: string): ReadonlyArray<Running> => {
  try {
    const folder = join(state, "gateways")
    const names = readdirSync(folder).filter((name) => name.endsWith(".json"))
    return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
  } catch {
    return []
  }
}

const host = ({ file, state }: Place, linger = 60): Host =>
  Host.start(process.execPath, [gateway, "serve", "--stdio", "--config", file, "--linger", String(linger)], {
    ...process.env,
    MCP_LIFELINE_STATE: state
  })

const wait = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const until = async (look: () => boolean): Promise<void> => {
  while (!look()) await wait(20)
}

const pidOf = async (host: Host): Promise<number> => JSON.parse(await host.call("who__who")).pid

describe("serve --stdio", () => {
  it("[G14] each server runs once for all hosts of one file, behind a token", async () => {
    await using here = place()
    await using one = host(here)
    await using other = host(here)
    const [introduction] = await Promise.all([one.initialize(), other.initialize()])
    if (!isGuess(introduction)) assert.strictEqual(introduction["serverInfo"].name, "mcp-lifeline")
    const pids = await Promise.all([pidOf(one), pidOf(other)])
    assert.strictEqual(pids[0], pids[1])
    assert.lengthOf(running(here.state), 1)
    const [{ token, url }] = running(here.state) as readonly [Running]
    assert.isAtLeast(token.length, 32)
    assert.strictEqual((await fetch(`${url}/api/status`)).status, 401)
    const headers = { authorization: `Bearer ${token}` }
    assert.strictEqual((await fetch(`${url}/api/status`, { headers })).status, 200)
    assert.strictEqual(await other.call("every__echo", { message: "hi" }), "Echo: hi")
    assert.deepEqual([...one.strange, ...other.strange], [])
  })

  it("[G14] when the first host is killed the others go on; the gateway ends a while after the last", async () => {
    await using here = place()
    await using first = host(here, 1)
    await first.initialize()
    const pid = await pidOf(first)
    await using second = host(here, 1)
    await second.initialize()
    assert.strictEqual(await pidOf(second), pid)
    kill(first.pid)
    await first.ended
    assert.strictEqual(await pidOf(second), pid)
    // Longer than it lingers: a host that says nothing is still there.
    await wait(1500)
    assert.strictEqual(await pidOf(second), pid)
    const [{ pid: shared }] = running(here.state) as readonly [Running]
    second.child.stdin?.end()
    await second.ended
    await until(() => !alive(shared) && !alive(pid))
    assert.lengthOf(running(here.state), 0)
  })

  it("[G14] a crash of the gateway costs each host a reconnect, and nothing more", async () => {
    await using here = place()
    await using one = host(here)
    await using other = host(here)
    await Promise.all([one.initialize(), other.initialize()])
    const before = await pidOf(one)
    const [{ pid }] = running(here.state) as readonly [Running]
    kill(pid)
    // A call that is under way at that moment may have been carried out; a list is simply asked for again.
    await Promise.all([one.result("tools/list"), other.result("tools/list")])
    const after = await Promise.all([pidOf(one), pidOf(other)])
    assert.strictEqual(after[0], after[1])
    assert.notStrictEqual(after[0], before)
    assert.lengthOf(running(here.state).filter(({ pid }) => alive(pid)), 1)
  })

  it("[G14 W9] a host that only asks what there is starts no server of a gateway that is remembered", async () => {
    await using here = place()
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "probe", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {}
    }
    const probed = async () => {
      await using probe = host(here, 3)
      return await probe.request("server/discover", { _meta: meta })
    }
    let first = await probed()
    // A machine may be so slow that a host is told nothing yet.
    while (first.error !== undefined) first = await probed()
    assert.strictEqual(first.result?.["_meta"]["io.modelcontextprotocol/serverInfo"].name, "mcp-lifeline")
    await until(() => running(here.state).every(({ pid }) => !alive(pid)))
    assert.deepEqual(await probed(), first)
    assert.deepEqual(running(here.state).filter(({ pid }) => alive(pid)), [])
  })

  it("[G14] a file that cannot be used: the host is told why", async () => {
    await using here = place()
    writeFileSync(here.file, '{ "mcpServers": { "a": { "comand": "x" } } }')
    await using one = host(here)
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } }
    const { error } = await one.request("initialize", params)
    // On a machine that is slow, `initialize` has to be answered before that is known.
    const { message } = error ?? (await one.request("tools/call", { name: "any", arguments: {} })).error ?? {}
    assert.match(message ?? "", /did you mean "command".*none of its servers can be used/)
    if (error !== undefined) assert.deepEqual(await one.ended, { code: 1, signal: null })
  })
})
