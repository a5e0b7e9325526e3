import { HttpFault } from "@mcp-lifeline/testing"
import { assert } from "vitest"
import { play } from "./support/FailureGuide.js"
import { answer, echoes, isUnknown, meets, outcome, served, waits } from "./support/FailureHosts.js"
import { options, refusal, stateFolder, wrap } from "./support/Host.js"

/** An environment with a proxy, and nothing that spares it. */
const proxied = (proxy: string) => ({ HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: "", no_proxy: "" })

play("HTTP", {
  "the server was restarted and does not know the session": {
    file: "WrapUrl",
    title: "[W4] a lost session and a killed stream are latency only"
  },
  "it has forgotten the session and says so in unknown words: a 401, 400 or 403 without a reason, a protocol error":
    () =>
      served(async (host, server) => {
        server.sessions.clear()
        await echoes(host, "again")
      }, { lostSession: { status: 400, message: "who are you?" } }),
  "a call is refused with the same codes because of its arguments": meets(
    HttpFault.status(400, { body: "no such column" }),
    /no such column|400/
  ),
  "no session survives its handshake: a load balancer alternates between replicas": () =>
    served(
      async (host, server) => {
        server.hook = ({ rpc }) => {
          if (rpc !== "initialize") server.sessions.clear()
          return false
        }
        const called = outcome(host, "echo")
        await host.until(() => /keeps forgetting its sessions: \d+ were lost/.exec(host.stderr) ?? undefined)
        assert.match(await called, /the call was not sent/)
        server.hook = undefined
        assert.strictEqual(await answer(host, "echo", { message: "after" }), "after")
      },
      {},
      options("timeouts.wait=3s")
    ),
  "the server was restarted, and no call is made": () =>
    served(async (_, server) => {
      await server.until(() => server.streams.size > 0)
      await server.restart()
      await server.until(() => server.sessions.size > 0)
    }),
  "the network is gone for a while, the server is not": waits(),
  "the server keeps forgetting its sessions (replicas without sticky sessions, serverless functions)": {
    file: "WrapUrl",
    title: "[W4] a lost session and a killed stream are latency only"
  },
  "the server ends an idle session": () =>
    served(
      async (host, server) => {
        // So many times three quarters of a second are longer than a session without a request.
        await server.until(() => server.count("ping") > 16)
        await echoes(host, "after")
        assert.strictEqual(server.count("initialize"), 1)
      },
      { idleTtl: 12_000 },
      options("keepalive.idleTtl=2s")
    ),
  "at the first `connect` nothing listens, nothing is found, or what answers is not an MCP server": {
    file: "WrapUrl",
    title: "[W1] a URL that is no MCP server"
  },
  "the server is down (connection refused)": {
    file: "WrapUrl",
    title: "[W4] a server that is down at the start"
  },
  "no answer at all (a black hole, a firewall that drops)": () =>
    served(
      async (host, server) => {
        server.fail(() => true, HttpFault.hang())
        assert.match(await outcome(host, "echo"), /was not answered within 2000 ms/)
        await server.until(() => server.count("ping") > 0)
        // Calls are held back while it is probed; then the connection is given up, and no attempt to make another is answered.
        const unsent = /the call was not sent/
        let met = ""
        while (!/no connection within 5000 ms/.test(met)) assert.match(met = await outcome(host, "echo"), unsent)
        server.heal()
        assert.strictEqual(await answer(host, "echo", { message: "after" }), "after")
      },
      {},
      // No heartbeat comes between them: the first one is due at any time in the interval.
      options(
        "timeouts.request=2s",
        "timeouts.connect=5s",
        "keepalive.interval=24h",
        "keepalive.timeout=1s",
        "keepalive.suspectInterval=100ms"
      )
    ),
  "a response stream is cut": meets(
    HttpFault.cut({ carriedOut: true }),
    isUnknown
  ),
  "the connection is reset before an answer": meets(
    HttpFault.reset(),
    isUnknown
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
    served(async (host) => await echoes(host, "fine"), {
      offersStream: false
    }),
  "the stream from the server is cut": () =>
    served(async (host, server) => {
      await server.until(() => server.streams.size > 0)
      server.dropStreams()
      await echoes(host, "fine")
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
    assert.match(await refusal(host), /proxy/i)
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
    assert.match(await refusal(host), /server\.invalid/)
  },
  "a slow answer, an idle stream": meets(HttpFault.late(1500))
})
