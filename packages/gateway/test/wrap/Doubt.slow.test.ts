import { assert, describe, it } from "vitest"
import { HttpServer } from "../../../promise/test/fixtures/Everything.js"
import { everything } from "../../../testing/test/support/Built.js"
import { type Host, initialized, options } from "../support/Host.js"
import { alive } from "../support/Program.js"
import { scripted } from "../support/Scripted.js"

const lists = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]

/** Requests and probes have so long that the verdict stays open. */
const slowVerdict = options("timeouts.request=1h", "keepalive.timeout=10m", "keepalive.interval=10m")

const servers = {
  stdio: async () => ({
    args: ["--", process.execPath, everything, "stdio"],
    pid: (family: ReadonlyArray<number>) => family.at(-1) ?? 0,
    end: async () => undefined
  }),
  HTTP: async () => {
    const server = await HttpServer.start()
    return { args: [server.url], pid: () => server.pid ?? 0, end: () => server.kill() }
  }
}

const stopped = async (
  begin: (typeof servers)[keyof typeof servers],
  use: (host: Host, before: ReadonlyArray<unknown>) => Promise<void>,
  after: (host: Host, before: ReadonlyArray<unknown>) => Promise<void>
): Promise<void> => {
  const server = await begin()
  try {
    await using host = await initialized([...slowVerdict, ...server.args])
    const before = await answers(host)
    const pid = server.pid(host.family)
    process.kill(pid, "SIGSTOP")
    try {
      await use(host, before)
      assert.isTrue(alive(pid))
    } finally {
      process.kill(pid, "SIGCONT")
    }
    assert.strictEqual(await host.call("echo", { message: "again" }), "Echo: again")
    await after(host, before)
  } finally {
    await server.end()
  }
}

const answers = (host: Host) => Promise.all(lists.map((list) => host.result(list)))

const answersAs = async (host: Host, before: ReadonlyArray<unknown>) => assert.deepEqual(await answers(host), before)

describe.each(Object.entries(servers))("wrap in front of a server over %s that may be hung", (_, begin) => {
  it(
    "[V8:real] answers its lists from memory until that is settled, and from the server afterwards",
    () =>
      stopped(begin, async (host, before) => {
        host.send({ jsonrpc: "2.0", id: "hung", method: "tools/call", params: { name: "echo", arguments: {} } })
        // As long as a caller has to have waited: before that, it may have changed its mind.
        await new Promise((resolve) => setTimeout(resolve, 2500))
        host.notify("notifications/cancelled", { requestId: "hung" })
        await answersAs(host, before)
      }, answersAs),
    300_000
  )

  it(
    "[V8:real] answers them from memory where it is a list that the server leaves without an answer",
    () => stopped(begin, answersAs, answersAs),
    300_000
  )
})

/** Leaves its second `tools/list` without an answer for 4 s, and has one tool more from then on. */
const slow = scripted("", "", {
  capabilities: { tools: {} },
  before: `
    if (method === "tools/list") {
      const times = heard.filter((one) => one.method === method).length
      if (times === 2) await new Promise((resolve) => setTimeout(resolve, 4000))
      return send(answer({ tools: ["a", "b"].slice(0, times).map((name) => ({ name, inputSchema: { type: "object" } })) }))
    }`
})

describe("a list that comes late", () => {
  it("[V8:real] is told to the host that was given the old one, and remembered", async () => {
    await using host = await initialized(slow)
    const tools = async () => (await host.result("tools/list"))["tools"].length
    assert.deepEqual([await tools(), await tools()], [1, 1])
    await host.until(() => host.notified("notifications/tools/list_changed").at(0))
    assert.equal(await tools(), 2)
  }, 60_000)
})
