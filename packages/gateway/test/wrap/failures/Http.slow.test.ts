import { HttpFault } from "@mcp-lifeline/testing"
import { assert } from "vitest"
import { play } from "../../support/FailureGuide.js"
import { answer, echoes, isUnknown, meets, outcome, served, waits } from "../../support/FailureHosts.js"
import { options, refusal, wrap } from "../../support/Host.js"

/** An environment with a proxy, and nothing that spares it. */
const proxied = (proxy: string) => ({ HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: "", no_proxy: "" })

play("HTTP", {
  "The session is gone": { file: "wrap/Url", title: "[W4] a lost session and a killed stream are latency only" },
  "The session is gone, but the reply does not say so": () =>
    served(async (host, server) => {
      server.sessions.clear()
      await echoes(host, "again")
    }, { lostSession: { status: 400, message: "who are you?" } }),
  "A call is refused because of its arguments": meets(
    HttpFault.status(400, { body: "no such column" }),
    /no such column|400/
  ),
  "An answer is longer than the host of `wrap` reads": {
    file: "wrap/StdioHost",
    title: "[W3] what is longer than it reads becomes an error of that request, and nothing else is harmed"
  },
  "An answer cannot be read": {
    file: "doors/Unreadable",
    title: "[C9:real] a whole answer is taken, and one that cannot be read is quoted, within seconds"
  },
  "Something else answers in the server's place": {
    file: "doors/GoneAddress",
    title: "[C2:real] a call waits while a router answers 404 in the place of a server of %s"
  },
  "No session survives its handshake": () =>
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
  "The server was restarted, and you make no call": () =>
    served(async (_, server) => {
      await server.until(() => server.streams.size > 0)
      await server.restart()
      await server.until(() => server.sessions.size > 0)
    }),
  "The network is gone for a while": waits(),
  "The server keeps forgetting its sessions": {
    file: "wrap/Url",
    title: "[W4] a lost session and a killed stream are latency only"
  },
  "The server ends an idle session": () =>
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
  "Nothing answers at the first connect": { file: "wrap/Url", title: "[W1] a URL that is no MCP server" },
  "The server is down": { file: "wrap/Url", title: "[W4] a server that is down at the start" },
  "No answer at all": () =>
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
  "A response stream is cut": meets(HttpFault.cut({ carriedOut: true }), isUnknown),
  "The connection is reset before an answer": meets(HttpFault.reset(), isUnknown),
  "An answer drips slowly": meets(HttpFault.drip({ bytes: 16, everyMillis: 5 })),
  "An answer has the wrong content type": meets(
    HttpFault.status(200, { headers: { "content-type": "text/html" }, body: "<h1>Hello</h1>" }),
    /text\/html/
  ),
  "An answer, event or notification is longer than 64 MiB": meets(HttpFault.huge(65 * 1024 * 1024), /67108864 bytes/),
  "An answer is compressed with gzip, deflate or br": meets(HttpFault.encoded("gzip")),
  "An answer has another content coding": meets(HttpFault.encoded("zstd" as never), /zstd|content-encoding/),
  "The server gives a notification no status": () =>
    served(async (host, server) => {
      server.fail(
        ({ http, message }) => http === "POST" && message !== undefined && !("id" in message),
        HttpFault.hang()
      )
      await server.restart()
      await echoes(host, "fine")
    }),
  "The server answers 405 to the stream": () =>
    served(async (host) => await echoes(host, "fine"), { offersStream: false }),
  "The stream from the server is cut": () =>
    served(async (host, server) => {
      await server.until(() => server.streams.size > 0)
      server.dropStreams()
      await echoes(host, "fine")
      await server.until(() => server.streams.size > 0)
    }),
  "429, or 503 with Retry-After": meets(HttpFault.status(429, { retryAfter: 1 })),
  "Another 5xx": meets(HttpFault.status(500, { body: "out of order" }), /out of order|500/),
  "A redirect to another origin": meets(
    HttpFault.status(302, { headers: { location: "http://127.0.0.1:1/login" } }),
    /login/
  ),
  "The proxy of the environment is down or refuses": async () => {
    await using host = wrap(["http://server.invalid/mcp"], { env: proxied("http://127.0.0.1:1") })
    assert.match(await refusal(host), /proxy/i)
  },
  "The proxy of the environment is not an address": async () => {
    const host = wrap(["http://server.invalid/mcp"], { env: proxied("://nowhere") })
    assert.notStrictEqual((await host.ended).code, 0)
    assert.match(host.stderr, /http_proxy/i)
  },
  "The headers of an answer have more than 16 KiB": meets(
    HttpFault.status(200, { headers: { "x-long": "x".repeat(17_000) } }),
    /headers/
  ),
  "A bad certificate, an unknown host name": async () => {
    await using host = wrap(["http://server.invalid/mcp"])
    assert.match(await refusal(host), /server\.invalid/)
  },
  "A slow answer, an idle stream": meets(HttpFault.late(1500))
})
