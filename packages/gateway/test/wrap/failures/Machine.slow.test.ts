import { HttpFault } from "@mcp-lifeline/testing"
import { assert } from "vitest"
import { play } from "../../support/FailureGuide.js"
import { answer, echoes, outcome, served, started } from "../../support/FailureHosts.js"
import { initialized, options, startWrap, stateFolder } from "../../support/Host.js"
import { scripted } from "../../support/Scripted.js"

const timesListed = `send(said(String(heard.filter(({ method }) => method === "tools/list").length)))`

const announcements = "notifications/tools/list_changed"

play("The machine, and everything else", {
  "The machine was suspended": {
    file: "../../core/test/Suspend",
    title: "[R11] that one probe decides: without an answer the connection is lost and comes back"
  },
  "Many servers are lost at once": "each wrap has one server, and knows nothing of those of others",
  "The server answers pings with errors and calls with results": () =>
    served(
      async (host, server) => {
        await host.until(() => /keepalive/.exec(host.stderr) ?? undefined)
        await echoes(host, "after")
        assert.strictEqual(server.count("initialize"), 1)
      },
      { pings: false },
      options("keepalive.interval=1s", "keepalive.suspectInterval=10ms")
    ),
  "The server answers a list request with an error": async () => {
    using state = stateFolder()
    const refusing = `if (method === "tools/list" && heard.filter((one) => one.method === method).length > 1) {
      return send({ id, error: { code: -32603, message: "no lists today" } })
    }`
    const args = [...options("lifecycle.lazy=true"), ...scripted(`send(said("fine"))`, "", { before: refusing })]
    let tools: unknown
    {
      await using host = await initialized(args, { state: state.path })
      tools = (await host.result("tools/list"))["tools"]
      const before = host.family
      assert.strictEqual((await host.request("tools/list")).error?.message, "no lists today")
      assert.strictEqual(await host.call("x"), "fine")
      assert.deepEqual(host.family, before)
    }
    // Before its first call nothing but what is remembered can answer.
    await using host = await initialized(args, { state: state.path })
    assert.deepEqual((await host.result("tools/list"))["tools"], tools)
  },
  // The cursor that comes again ends it, for the host, for wrap, which reads it after a restart to compare, and for the core, which reads it for
  // the hints of the call that was cut.
  "A list never ends": () =>
    started(
      `if (name === "exit") process.exit(1); else ${timesListed}`,
      async (host) => {
        assert.strictEqual((await host.result("tools/list"))["nextCursor"], "more")
        assert.isUndefined((await host.result("tools/list", { cursor: "more" }))["nextCursor"])
        await outcome(host, "exit")
        let times = 0
        while (times < 4) times = Number(await answer(host, "times"))
        assert.strictEqual(await host.call("times"), "4")
      },
      { before: `if (method === "tools/list") return send(answer({ tools: [], nextCursor: "more" }))` }
    ),
  // The host is told in a pace, and wrap reads nothing by itself.
  "The server announces changes of its lists all the time": () =>
    started(
      timesListed,
      async (host) => {
        for (const times of ["1", "2"]) {
          await host.result("tools/list")
          assert.strictEqual(await host.call("times"), times)
        }
        // At most three times a second.
        await host.until(() => host.notified(announcements).length === 2 || undefined)
      },
      { before: `if (method === "tools/list") send({ method: "${announcements}" })` }
    ),
  "A close hangs": () =>
    served(
      async (host, server) => {
        server.fail("DELETE", HttpFault.hang())
        host.child.stdin?.end()
        assert.deepEqual(await host.ended, { code: 0, signal: null })
        const ended = server.requests("DELETE").map(({ session }) => session)
        assert.deepStrictEqual(ended, [...new Set(ended)])
        assert.isNotEmpty(ended)
      },
      {},
      [],
      startWrap
    ),
  "A new session has forgotten what the old one knew": () =>
    served(
      async (host, server) => {
        server.sessions.clear()
        assert.match(await outcome(host, "echo", { message: "lost" }), /session/)
        await echoes(host, "after")
        assert.deepEqual(server.applied.map(({ arguments: { message } }) => message), ["before", "after"])
      },
      {},
      options("calls.afterSessionLoss=fail")
    )
})
