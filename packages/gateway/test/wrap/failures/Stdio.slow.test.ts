import { assert } from "vitest"
import { play } from "../../support/FailureGuide.js"
import { answer, gone, outcome, started } from "../../support/FailureHosts.js"
import { type Host, introduced, options, startWrap } from "../../support/Host.js"
import { scripted } from "../../support/Scripted.js"

/** Two heartbeats or probes without an answer are enough to find that a server hangs. One that only starves may be found so, too. */
const heartbeats = ["keepalive.timeout=1s", "keepalive.suspectInterval=100ms", "keepalive.failureThreshold=2"]

const stop = (pid: number): void => {
  try {
    process.kill(pid, "SIGSTOP")
  } catch {
    // It is gone.
  }
}

const lives = async (host: Host, name: string, args: object = {}): Promise<string> => {
  const met = await outcome(host, name, args)
  assert.isString(await host.call("fine", { message: "fine" }))
  return met
}

play("stdio", {
  "The server crashes or is killed": { file: "wrap/Wrap", title: "[W4] a killed server is latency only" },
  "The server closes stdin or stdout but keeps running": () =>
    started(`if (name === "close") process.stdout.end(); else send(said(String(process.pid)))`, async (host) => {
      const before = await host.call("pid")
      assert.match(await lives(host, "close"), /closed its stdin or stdout/)
      assert.notStrictEqual(await host.call("pid"), before)
      await gone([Number(before)])
    }),
  "The server exits at start, again and again": {
    file: "wrap/Wrap",
    title: "[W4] a known server that cannot start is there"
  },
  "The command does not exist or is not executable": { file: "wrap/Wrap", title: "[W1] a command that does not exist" },
  "The command has worked before, and is gone": {
    file: "wrap/Command",
    title: "[W4] a program that is missing for a while is used again when it is there"
  },
  "The server hangs while idle": () =>
    started(`send(said(String(process.pid)))`, async (host) => {
      const before = await answer(host, "pid")
      stop(Number(before))
      // Nobody calls it, and it ends.
      await gone([Number(before)])
      assert.notStrictEqual(await answer(host, "pid"), before)
    }, { args: options(...heartbeats, "keepalive.interval=1s") }),
  "The server hangs during a call": () =>
    started(
      `if (name === "hang") process.kill(process.pid, "SIGSTOP"); else send(said(String(process.pid)))`,
      async (host) => {
        const before = await answer(host, "pid")
        assert.match(await outcome(host, "hang"), /was not answered within 2000 ms; it may still be carried out/)
        await gone([Number(before)])
        assert.notStrictEqual(await answer(host, "pid"), before)
      },
      { args: options(...heartbeats, "timeouts.request=2s") }
    ),
  "The server works for minutes and reports nothing": {
    file: "doors/LongCalls",
    title: "[G25:real] its caller hears that it runs while the server lives"
  },
  "The server runs in a container, and the command is killed": {
    file: "doors/LeftBehind",
    title: "[S11:real] [S12:real] its containers are removed, too"
  },
  "The server writes other things to stdout": () =>
    started(`process.stdout.write("Listening...\\nand more\\n"); send(said("fine"))`, async (host) => {
      assert.strictEqual(await host.call("x"), "fine")
      assert.strictEqual(await host.call("x"), "fine")
      assert.lengthOf(host.stderr.match(/is not JSON-RPC and is skipped/g) ?? [], 1)
      assert.deepEqual(host.strange, [])
    }),
  "The command is a different program": { file: "wrap/Wrap", title: "[W1] a program that is no MCP server" },
  // Of wrap it is 64 MiB: as long as what a host may send.
  "An answer is longer than 16 MiB": () =>
    started(`send(said(name === "long" ? "x".repeat(65 * 1024 * 1024) : "fine"))`, async (host) => {
      assert.match(await lives(host, "long"), /67108864 bytes/)
    }),
  "The server stops reading its stdin": () =>
    started(
      `if (name === "deaf") { process.stdin.pause(); setTimeout(() => process.stdin.resume(), 500) }
      send(said(params.arguments.nth))`,
      async (host) => {
        await host.call("deaf", { nth: "" })
        const numbers = Array.from({ length: 20 }, (_, nth) => String(nth))
        const padding = "x".repeat(100_000)
        const answers = numbers.map((nth) => host.call("heard", { nth, padding }))
        assert.deepEqual(await Promise.all(answers), numbers)
      }
    ),
  "The server ignores SIGTERM at close": () =>
    started(
      `process.on("SIGTERM", () => undefined); setInterval(() => undefined, 1000); send(said("stays"))`,
      async (host) => {
        await host.call("x")
        const { family } = host
        host.child.stdin?.end()
        assert.strictEqual((await host.ended).code, 0)
        await gone(family)
      },
      { run: startWrap }
    ),
  "The server starts slowly": async () => {
    const [, node = "", ...args] = scripted(`send(said("fine"))`)
    const slow = ["--", "sh", "-c", `sleep 1; exec "$0" "$@"`, node, ...args]
    const { host, introduction } = await introduced(slow)
    await using _ = host
    assert.strictEqual(introduction["serverInfo"].name, "scripted")
    assert.strictEqual(await host.call("x"), "fine")
  },
  "The server writes a line in pieces": () =>
    started(
      `for (const byte of Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...said("größer") }) + "\\n")) {
        process.stdout.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }`,
      async (host) => assert.strictEqual(await host.call("x"), "größer")
    ),
  "The server exits with 0 and its children live on": () =>
    started(
      `const { spawn } = await import("node:child_process")
      if (name === "leave") send(said(String(spawn("sleep", ["600"], { stdio: "ignore" }).pid)))
      else if (name === "exit") process.exit(0)
      else send(said("fine"))`,
      async (host) => {
        const child = Number(await host.call("leave"))
        await lives(host, "exit")
        await gone([child])
      }
    ),
  "The server leaves grandchildren behind": () =>
    started(
      `const { spawn } = await import("node:child_process")
      send(said(String(spawn("sh", ["-c", "sleep 600 & echo; wait"], { stdio: "ignore" }).pid)))`,
      async (host) => {
        await host.call("leave")
        const { family } = host
        host.child.stdin?.end()
        await host.ended
        await gone(family)
      },
      { run: startWrap }
    ),
  "When Lifeline itself is killed": () =>
    started(`send(said("fine"))`, async (host) => {
      await host.call("x")
      const { family } = host
      host.child.kill("SIGKILL")
      await gone(family)
    }, { run: startWrap })
})
