/**
 * The tables of docs/failures.md through `wrap`: for each fault of a server over stdio or HTTP what becomes of it, where that is
 * proved under another name, or why `wrap` cannot meet it.
 */
import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { assert } from "vitest"
import { play, type Row } from "./support/FailureGuide.js"
import { type Host, stateFolder, wrap } from "./support/Host.js"
import { alive } from "./support/Program.js"
import { scripted } from "./support/Scripted.js"

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))
const gone = async (pids: ReadonlyArray<number>): Promise<void> => {
  while (pids.some(alive)) await pause(50)
}

/** A host with a server that handles its calls so. */
const started = async (body: string, use: (host: Host) => Promise<void>): Promise<void> => {
  using state = stateFolder()
  await using host = wrap(["--protocol", "2025", ...scripted(body)], { state: state.path })
  await host.initialize()
  await use(host)
}

/** A call fails or not, as it may; after it, calls are answered. */
const lives = async (host: Host, name: string, args: object = {}): Promise<string> => {
  const { error, result } = await host.request("tools/call", { name, arguments: args })
  assert.isString(await host.call("fine", { message: "fine" }))
  return error?.message ?? JSON.stringify(result)
}

const stdio: Readonly<Record<string, Row>> = {
  "the process crashes or is killed": { file: "Wrap", title: "[W4] a killed server is latency only" },
  "it closes stdin or stdout but keeps running": () =>
    started(`if (name === "close") process.stdout.end(); else send(said(String(process.pid)))`, async (host) => {
      const before = await host.call("pid")
      assert.match(await lives(host, "close"), /closed its stdin or stdout/)
      assert.notStrictEqual(await host.call("pid"), before)
      await gone([Number(before)])
    }),
  "it exits at start, again and again": { file: "Wrap", title: "[W4] a known server that cannot start is there" },
  "the command does not exist or is not executable": { file: "Wrap", title: "[W1] a command that does not exist" },
  "the same, after the command had worked before": {
    file: "WrapMore",
    title: "[W4] a program that is missing for a while is used again when it is there"
  },
  "it hangs while idle (SIGSTOP, an endless loop)":
    "heartbeats are minutes apart, and wrap has no option for that: K11",
  "it hangs during a call":
    "how long a call may take is the host's affair; heartbeats notice it as while idle: H4, K11",
  "it writes other things to stdout": () =>
    started(`process.stdout.write("Listening...\\nand more\\n"); send(said("fine"))`, async (host) => {
      assert.strictEqual(await host.call("x"), "fine")
      assert.strictEqual(await host.call("x"), "fine")
      assert.lengthOf(host.stderr.match(/is not JSON-RPC and is skipped/g) ?? [], 1)
      assert.deepEqual(host.strange, [])
    }),
  "it is a different program: it prints its usage, or asks a question and waits": {
    file: "Wrap",
    title: "[W1] a program that is no MCP server"
  },
  // Of wrap it is 64 MiB: as long as what a host may send.
  "an answer is longer than 16 MiB": () =>
    started(`send(said(name === "long" ? "x".repeat(65 * 1024 * 1024) : "fine"))`, async (host) => {
      assert.match(await lives(host, "long"), /67108864 bytes/)
    }),
  "it stops reading its stdin": () =>
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
  "it ignores SIGTERM at close": () =>
    started(
      `process.on("SIGTERM", () => undefined); setInterval(() => undefined, 1000); send(said("stays"))`,
      async (host) => {
        await host.call("x")
        const { family } = host
        host.child.stdin?.end()
        assert.strictEqual((await host.ended).code, 0)
        await gone(family)
      }
    ),
  "it starts slowly": async () => {
    using state = stateFolder()
    const [, node = "", ...args] = scripted(`send(said("fine"))`)
    await using host = wrap(["--", "sh", "-c", `sleep 1; exec "$0" "$@"`, node, ...args], { state: state.path })
    assert.strictEqual((await host.initialize())["serverInfo"].name, "scripted")
    assert.strictEqual(await host.call("x"), "fine")
  },
  "it writes a line in pieces, or byte by byte": () =>
    started(
      `for (const byte of Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...said("größer") }) + "\\n")) {
        process.stdout.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }`,
      async (host) => assert.strictEqual(await host.call("x"), "größer")
    ),
  "it exits with 0 and its children live on": () =>
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
  "it leaves grandchildren behind": () =>
    started(
      `const { spawn } = await import("node:child_process")
      send(said(String(spawn("sh", ["-c", "sleep 600 & echo; wait"], { stdio: "ignore" }).pid)))`,
      async (host) => {
        await host.call("leave")
        const { family } = host
        host.child.stdin?.end()
        await host.ended
        await gone(family)
      }
    ),
  "our own process is killed": () =>
    started(`send(said("fine"))`, async (host) => {
      await host.call("x")
      const { family } = host
      host.child.kill("SIGKILL")
      await gone(family)
    })
}

/** A host with a server at a URL. */
const served = async (
  use: (host: Host, server: HttpFaultServer.HttpFaultServer) => Promise<void>,
  options: Parameters<typeof HttpFaultServer.open>[0] = {}
): Promise<void> => {
  using state = stateFolder()
  await using server = await HttpFaultServer.open(options)
  await using host = wrap([server.url], { state: state.path })
  await host.initialize()
  assert.strictEqual(await host.call("echo", { message: "before" }), "before")
  await use(host, server)
}

/** One call meets a fault and fails with these words, or is answered after all; the next one is answered. */
const meets =
  (fault: HttpFault.HttpFault, words?: RegExp, options?: Parameters<typeof HttpFaultServer.open>[0]) => () =>
    served(async (host, server) => {
      server.fail("tools/call", fault, 1)
      const { error, result } = await host.request("tools/call", { name: "echo", arguments: { message: "met" } })
      if (words === undefined) assert.strictEqual(result?.["content"][0].text, "met", error?.message)
      else assert.match(error?.message ?? "", words)
      assert.strictEqual(await host.call("echo", { message: "after" }), "after")
    }, options)

const minutes = "it takes minutes, or more than one address: proved of the transport that wrap uses"

/** An environment with a proxy, and nothing that spares it. */
const proxied = (proxy: string) => ({ HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: "", no_proxy: "" })

const http: Readonly<Record<string, Row>> = {
  "the server was restarted and does not know the session": {
    file: "WrapUrl",
    title: "[W4] a lost session and a killed stream are latency only"
  },
  "it has forgotten the session and says so in unknown words: a 401, 400 or 403 without a reason, a protocol error":
    () =>
      served(async (host, server) => {
        server.sessions.clear()
        assert.strictEqual(await host.call("echo", { message: "again" }), "again")
      }, { lostSession: { status: 400, message: "who are you?" } }),
  "a call is refused with the same codes because of its arguments": meets(
    HttpFault.status(400, { body: "no such column" }),
    /no such column|400/
  ),
  "no session survives its handshake: a load balancer alternates between replicas": minutes,
  "the server was restarted, and no call is made": minutes,
  "the network is gone for a while, the server is not": () =>
    served(async (host, server) => {
      server.refuse()
      const called = host.call("echo", { message: "waited" })
      await pause(200)
      await server.start()
      assert.strictEqual(await called, "waited")
    }),
  "the server keeps forgetting its sessions (replicas without sticky sessions, serverless functions)": {
    file: "WrapUrl",
    title: "[W4] a lost session and a killed stream are latency only"
  },
  "the server ends an idle session": minutes,
  "at the first `connect` nothing listens, nothing is found, or what answers is not an MCP server": {
    file: "WrapUrl",
    title: "[W1] a URL that is no MCP server"
  },
  "the server is down (connection refused)": {
    file: "WrapUrl",
    title: "[W4] a server that is down at the start"
  },
  "no answer at all (a black hole, a firewall that drops)": minutes,
  "a response stream is cut": meets(
    HttpFault.cut({ carriedOut: true }),
    /may or may not have been carried out|result is unknown|unknown/i
  ),
  "the connection is reset before an answer": meets(
    HttpFault.reset(),
    /may or may not have been carried out|result is unknown|unknown/i
  ),
  "an answer drips slowly": meets(HttpFault.drip({ bytes: 16, everyMillis: 5 })),
  "an answer has the wrong content type": meets(
    HttpFault.status(200, { headers: { "content-type": "text/html" }, body: "<h1>Hello</h1>" }),
    /text\/html/
  ),
  "an answer, event or notification is longer than 64 MiB": meets(HttpFault.huge(65 * 1024 * 1024), /67108864 bytes/),
  "an answer is compressed with gzip, deflate or br": meets(HttpFault.encoded("gzip")),
  "an answer has another content coding": meets(HttpFault.encoded("zstd" as never), /zstd|content-encoding/),
  "the server answers 405 when Lifeline opens the stream from the server": () =>
    served(async (host) => assert.strictEqual(await host.call("echo", { message: "fine" }), "fine"), {
      offersStream: false
    }),
  "the stream from the server is cut": () =>
    served(async (host, server) => {
      await server.until(() => server.streams.size > 0)
      server.dropStreams()
      assert.strictEqual(await host.call("echo", { message: "fine" }), "fine")
      await server.until(() => server.streams.size > 0)
    }),
  "429, or 503 with Retry-After": meets(HttpFault.status(429, { retryAfter: 1 })),
  "another 5xx": meets(HttpFault.status(500, { body: "out of order" }), /out of order|500/),
  "a redirect to another origin, or one that turns a POST into a GET (to a login page)": meets(
    HttpFault.status(302, { headers: { location: "http://127.0.0.1:1/login" } }),
    /login/
  ),
  "the proxy of the environment is down, unknown, or wants credentials": async () => {
    using state = stateFolder()
    await using host = wrap(["http://server.invalid/mcp"], {
      state: state.path,
      env: proxied("http://127.0.0.1:1")
    })
    await host.initialize()
    const { error } = await host.request("tools/call", { name: "x", arguments: {} })
    assert.match(error?.message ?? "", /proxy/i)
  },
  "`HTTP_PROXY` or `HTTPS_PROXY` is not an address": async () => {
    using state = stateFolder()
    const host = wrap(["http://server.invalid/mcp"], {
      state: state.path,
      env: proxied("://nowhere")
    })
    assert.notStrictEqual((await host.ended).code, 0)
    assert.match(host.stderr, /http_proxy/i)
  },
  "the headers of an answer have more than 16 KiB": meets(
    HttpFault.status(200, { headers: { "x-long": "x".repeat(17_000) } }),
    /headers/
  ),
  "a bad certificate, an unknown host name": async () => {
    using state = stateFolder()
    await using host = wrap(["http://server.invalid/mcp"], { state: state.path })
    await host.initialize()
    const { error } = await host.request("tools/call", { name: "x", arguments: {} })
    assert.match(error?.message ?? "", /server\.invalid/)
  },
  "a slow answer, an idle stream": meets(HttpFault.late(1500))
}

play("stdio", stdio)
play("HTTP", http)
