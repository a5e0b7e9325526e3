import { assert, describe, it } from "vitest"
import { eras } from "../../../testing/test/support/Built.js"
import { type Host, type Message, startWrap, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

const reserved = "io.modelcontextprotocol/"

const meta = (more: object = {}): object => ({
  [`${reserved}protocolVersion`]: "2026-07-28",
  [`${reserved}clientCapabilities`]: { elicitation: {} },
  ...more
})

const call = (host: Host, name: string, more: object = {}, params: object = {}): Promise<Message> =>
  host.request("tools/call", { name, ...params, _meta: meta(more) })

const question = (message: string): string =>
  `ask("elicitation/create", { message: "${message}", requestedSchema: { type: "object", properties: {} } })`

const answered = (host: Host, name: string, { result }: Message, more: object = {}): Promise<Message> => {
  if (result?.["resultType"] !== "input_required") throw new Error(`nothing was asked: ${JSON.stringify(result)}`)
  const asked: Readonly<Record<string, { readonly params: { readonly message: string } }>> = result["inputRequests"]
  const inputResponses = Object.fromEntries(
    Object.entries(asked).map(([key, { params }]) => [key, { action: "accept", content: { to: params.message } }])
  )
  return call(host, name, more, { inputResponses, requestState: result["requestState"] })
}

describe.concurrent("a host without a session", () => {
  it("[E8] an envelope that does not fit is refused, and the requests after it are answered", async () => {
    await using host = wrap(scripted(`send(said("x"))`))
    const wrong: ReadonlyArray<object> = [
      { [`${reserved}protocolVersion`]: 7 },
      { [`${reserved}clientCapabilities`]: undefined },
      { [`${reserved}clientInfo`]: { name: "without a version" } },
      { [`${reserved}logLevel`]: "loud" }
    ]
    for (const one of wrong) {
      assert.strictEqual((await host.request("tools/list", { _meta: meta(one) })).error?.code, -32_602)
    }
    assert.strictEqual((await host.request("server/discover", {})).error?.code, -32_602)
    assert.deepEqual(host.family, [])
    assert.lengthOf((await host.result("tools/list", { _meta: meta() }))["tools"], 1)
  })

  it("[W2] what a server of the same era asks comes as it is, and each request says what its client can do", async () => {
    await using host = wrap(["--", process.execPath, eras, "2026"])
    const unable = await call(host, "asks", { [`${reserved}clientCapabilities`]: {} })
    assert.match(unable.error?.message ?? "", /capabilities/)
    const asked = await call(host, "asks")
    assert.deepEqual(Object.keys(asked.result?.["inputRequests"]), ["name"])
    assert.strictEqual(asked.result?.["requestState"], undefined)
    const inputResponses = { name: { action: "accept", content: { name: "Ada" } } }
    const { result } = await call(host, "asks", {}, { inputResponses })
    assert.deepEqual(JSON.parse(result?.["content"][0].text), inputResponses.name)
    assert.strictEqual(result?.["resultType"], "complete")
  })

  it("[E8] a server that asks several things at once is answered them all", async () => {
    await using host = wrap(
      scripted(`send(said(await Promise.all([${question("one")}, ${question("two")}, ${question("three")}])))`)
    )
    let response = await call(host, "x")
    while (response.result?.["resultType"] === "input_required") response = await answered(host, "x", response)
    assert.deepEqual(
      JSON.parse(response.result?.["content"][0].text).map(({ content }: { content: object }) => content),
      [{ to: "one" }, { to: "two" }, { to: "three" }]
    )
  })

  it("[E8] after a question, progress comes under the token of the request that waits now", async () => {
    await using host = wrap(scripted(`
        const report = (progress) => ({ method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress } })
        send(report(1))
        await ${question("one")}
        send(report(2), said("done"))`))
    const first = await call(host, "x", { progressToken: "first" })
    await answered(host, "x", first, { progressToken: "second" })
    assert.deepEqual(
      host.progress().map(({ params }) => [params?.["progressToken"], params?.["progress"]]),
      [["first", 1], ["second", 2]]
    )
  })

  it("[E8] log messages come from the level on that a request asks for, and for no other request", async () => {
    await using host = wrap(scripted(`
        const log = (level) => ({ method: "notifications/message", params: { level, data: "x" } })
        send(log("debug"), log("error"), said("x"))`))
    const levels = async (more: object): Promise<ReadonlyArray<unknown>> => {
      host.messages.length = 0
      await call(host, "x", more)
      return host.notified("notifications/message").map(({ params }) => params?.["level"])
    }
    assert.deepEqual(await levels({}), [])
    assert.deepEqual(await levels({ [`${reserved}logLevel`]: "warning" }), ["error"])
    assert.deepEqual(await levels({}), [])
  })

  it("[W1] where there is no server, each request is answered with why, in words for a model", async () => {
    for (const command of [["no-such-program-of-ours"], [process.execPath, "-e", "console.log('no-such-server')"]]) {
      await using host = wrap(["--", ...command])
      const { error } = await call(host, "x")
      assert.match(error?.message ?? "", /no-such-/)
      assert.notMatch(error?.message ?? "", /reconnect\(\)|PermanentlyFailed/)
      // On a machine that is so slow that this is not known after 8 s, the call waits for the server instead.
      if (!/Tell the user/.test(error?.message ?? "")) assert.deepEqual(await host.ended, { code: 1, signal: null })
    }
  })

  it("[E8] a stream of changes is acknowledged for what the server has, and for the resources that it does not refuse", async () => {
    await using host = wrap(scripted("", "", {
      capabilities: { tools: {}, resources: { subscribe: true } },
      before: `if (method === "resources/subscribe" && params.uri === "test://no") {
          return send({ id, error: { code: -32602, message: "no such resource" } })
        }`
    }))
    const wanted = {
      toolsListChanged: true,
      promptsListChanged: true,
      resourceSubscriptions: ["test://yes", "test://no"]
    }
    host.send({
      jsonrpc: "2.0",
      id: "s",
      method: "subscriptions/listen",
      params: { notifications: wanted, _meta: meta() }
    })
    const { params } = await host.until(() => host.notified("notifications/subscriptions/acknowledged")[0])
    assert.deepEqual(params?.["notifications"], { toolsListChanged: true, resourceSubscriptions: ["test://yes"] })
    assert.strictEqual(params?.["_meta"][`${reserved}subscriptionId`], "s")
  })

  it("[E8] a stream about which nothing would ever come is acknowledged so, and ends", async () => {
    await using host = wrap(scripted("", "", { capabilities: { tools: {} } }))
    const { result } = await host.request("subscriptions/listen", {
      notifications: { promptsListChanged: true, resourceSubscriptions: ["test://no"] },
      _meta: meta()
    }, "s")
    assert.deepEqual(host.notified("notifications/subscriptions/acknowledged")[0]?.params?.["notifications"], {})
    assert.deepEqual(result, { resultType: "complete", _meta: { [`${reserved}subscriptionId`]: "s" } })
  })

  it("[E8] a stream that is open ends with its result when the host closes its end, which is not waited for; a call is, until a signal", async () => {
    await using host = startWrap(scripted(""))
    const closed = host.request(
      "subscriptions/listen",
      { notifications: { toolsListChanged: true }, _meta: meta() },
      "s"
    )
    await host.until(() => host.notified("notifications/subscriptions/acknowledged")[0])
    const unanswered = host.request("tools/call", { name: "x", _meta: meta() }, "c")
    host.child.stdin?.end()
    assert.deepEqual((await closed).result?.["_meta"], { [`${reserved}subscriptionId`]: "s" })
    assert.deepEqual(
      await Promise.race([unanswered, new Promise((done) => setTimeout(() => done("open"), 1500))]),
      "open"
    )
    host.child.kill("SIGTERM")
    assert.isDefined((await unanswered).error)
    assert.deepEqual(host.messages.flatMap(({ id, method }) => method === undefined ? [id] : []), ["s", "c"])
    assert.deepEqual(await host.ended, { code: 0, signal: null })
  })

  it("[E8] a call that is cancelled while its host was asked for something is cancelled at the server", async () => {
    await using host = wrap(scripted(`
        if (name === "heard") return send(said(heard.filter(({ method }) => method === "notifications/cancelled").length))
        await ${question("one")}`))
    const { result } = await host.request("tools/call", { name: "x", _meta: meta() }, "asking")
    host.notify("notifications/cancelled", { requestId: "asking" })
    while ((await call(host, "heard")).result?.["content"][0].text !== "1") continue
    const again = await call(host, "x", {}, { inputResponses: {}, requestState: result?.["requestState"] })
    assert.strictEqual(again.error?.code, -32_602)
  })
})
