import { assert, describe, it } from "vitest"
import { stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

describe("wrap --http", () => {
  it("[W3] after a cancelled call, what the server says by itself comes on the stream of the session", async () => {
    using state = stateFolder()
    const body = `
      if (name === "silent") return
      send(said("x"))
      setTimeout(() => send({ method: "notifications/message", params: { level: "error", data: "of its own" } }), 50)`
    await using host = wrap(["--http", "--no-token", "--port", "0", ...scripted(body)], { state: state.path })
    const url = await host.until(() => /^Serving \S+ at (http:\S+)$/m.exec(host.stderr)?.[1])
    const headers: Record<string, string> = {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream"
    }
    const post = (message: object, signal?: AbortSignal): Promise<Response> =>
      fetch(url, {
        method: "POST",
        headers,
        body: JSON.stringify({ jsonrpc: "2.0", ...message }),
        ...(signal === undefined ? {} : { signal })
      })
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "h", version: "1" } }
    const begun = await post({ id: 1, method: "initialize", params })
    await begun.text()
    headers["Mcp-Session-Id"] = begun.headers.get("mcp-session-id") ?? ""
    await (await post({ method: "notifications/initialized" })).text()
    const abort = new AbortController()
    const stream = await fetch(url, { headers, signal: abort.signal })
    const cancelled = new AbortController()
    await post({ id: 2, method: "tools/call", params: { name: "silent" } }, cancelled.signal)
    cancelled.abort()
    await (await post({ method: "notifications/cancelled", params: { requestId: 2 } })).text()
    assert.include(await (await post({ id: 3, method: "tools/call", params: { name: "x" } })).text(), "content")
    let seen = ""
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
    while (!seen.includes("of its own")) seen += (await reader?.read())?.value ?? ""
    abort.abort()
    host.child.kill("SIGTERM")
    assert.deepEqual(await host.ended, { code: 0, signal: null })
  })
})
