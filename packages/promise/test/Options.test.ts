import type { CallOptions, ConnectOptions, FleetConfig, FleetOptions, Server } from "@mcp-lifeline/client"
import { ConfigError, connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import { HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import { inspect } from "node:util"
import { Agent } from "undici"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"

const lazy = { lifecycle: { lazy: true } } as const

const problems = async (make: () => unknown): Promise<ReadonlyArray<string>> => {
  const error = await rejection((async () => make())())
  assert.instanceOf(error, ConfigError, inspect(error))
  assert.strictEqual(error.field, error.problems[0]?.field)
  assert.strictEqual(error.backend, error.problems[0]?.backend)
  for (const { message } of error.problems) assert.include(error.message, message)
  assert.notMatch(inspect(error, { depth: 20, showHidden: true }), /s3cret/)
  return error.problems.map(({ message }) => message)
}

const untyped = (server: object, options: object = {}) => () => connect(server as Server, options as ConnectOptions)
const fleetOf = (config: object, options: object = {}) => () =>
  connectAll(config as FleetConfig, options as FleetOptions)

describe("options", () => {
  it("[F1] durations may be short wherever one is accepted", async () => {
    const server = { ...Everything.stdio, stdio: { stdinGrace: "1s", termGrace: "500 ms" } } as const
    await using client = await connect(server, {
      timeouts: { request: "7 d", wait: "10ms" },
      reconnect: { maxDelay: "1h" }
    })
    await client.ping({ timeout: "5s", maxTotalTimeout: "1 min", wait: "10 ms" })
    await using fleet = await connectAll({ mcpServers: {} }, { waitTimeout: "1s", keepalive: { interval: "2 min" } })
    assert.deepEqual(fleet.names, [])
  })

  it("[F1] an option of another function, of none, or out of range is refused", async () => {
    const command = "a"
    const far = '0 ms to 24 h, as milliseconds or as a text such as "5s" or "5 minutes"'
    assert.deepEqual(await problems(untyped({ command }, { require: "all", connectConcurrency: -4 })), [
      "a: require is not an option of connect, but of connectAll",
      "a: connectConcurrency is not an option of connect, but of connectAll"
    ])
    assert.deepEqual(await problems(untyped({ command }, { keepAlive: {}, loger: () => {}, logger: 5 })), [
      'a: keepAlive is not an option of connect; did you mean "keepalive"?',
      'a: loger is not an option of connect; did you mean "logger"?',
      "a: logger is 5; accepted: a function"
    ])
    assert.deepEqual(
      await problems(fleetOf({ mcpServers: {} }, { name: "n", connectConcurrency: -4, waitTimeout: -1 })),
      [
        "fleet: name is not an option of connectAll, but of connect and supervisedTransport",
        "fleet: connectConcurrency is -4; accepted: a whole number of at least 1",
        `fleet: waitTimeout is -1; accepted: ${far}`
      ]
    )
    assert.deepEqual(await problems(() => supervisedTransport({ command }, { capabilities: {}, signal: 1 } as never)), [
      "a: capabilities is not an option of supervisedTransport, but of connect and connectAll",
      "a: signal is not an option of supervisedTransport, but of connect and connectAll"
    ])
    assert.deepEqual(
      await problems(
        untyped({ command }, {
          signal: "now",
          temperamentMemory: "",
          handlers: { samplings: 1, roots: [] },
          clientInfo: { name: 1 }
        })
      ),
      [
        'a: signal is "now"; accepted: an AbortSignal',
        'a: temperamentMemory is ""; accepted: true, false or the path of a folder',
        'a: handlers.samplings is not an option of handlers; did you mean "sampling"?',
        "a: handlers.roots is an array; accepted: a function",
        "a: clientInfo is an object; accepted: an object with name and version"
      ]
    )
    assert.deepEqual(
      await problems(untyped({ command }, {
        enforceStrictCapabilities: "yes",
        listChanged: { tools: {}, prompt: {}, resources: { onChanged: 1, debounceMs: -1 } },
        maxTaskQueueSize: 0.5,
        taskStor: {}
      })),
      [
        'a: enforceStrictCapabilities is "yes"; accepted: true or false',
        "a: listChanged.tools.onChanged is missing; accepted: a function",
        'a: listChanged.prompt is not an option of listChanged; did you mean "prompts"?',
        "a: listChanged.resources.onChanged is 1; accepted: a function",
        "a: listChanged.resources.debounceMs is -1; accepted: a whole number of at least 0",
        "a: maxTaskQueueSize is 0.5; accepted: a whole number of at least 0",
        'a: taskStor is not an option of connect; did you mean "taskStore"?'
      ]
    )
  })

  it("[F1] an option of a call that does not exist or is out of range is refused before anything is sent", async () => {
    await using client = await connect({ command: "a" }, lazy)
    await using fleet = await connectAll({ mcpServers: { a: { command: "a", ...lazy } } })
    const call = (options: unknown) => () => client.callTool({ name: "x" }, undefined, options as CallOptions)
    const far = '0 ms to 365 d, as milliseconds or as a text such as "5s" or "5 minutes"'
    assert.deepEqual(await problems(call({ timout: 300 })), [
      'a: timout is not an option of a call; did you mean "timeout"?'
    ])
    assert.deepEqual(await problems(call({ timeout: -1, wait: "long", signal: 5, idempotent: "yes", onprogress: 1 })), [
      `a: timeout is -1; accepted: ${far}`,
      `a: wait is "long"; accepted: ${far}`,
      "a: signal is 5; accepted: an AbortSignal",
      'a: idempotent is "yes"; accepted: true or false',
      "a: onprogress is 1; accepted: a function"
    ])
    assert.deepEqual(await problems(call(5)), ["a: options is a number; accepted: an object of options"])
    assert.deepEqual(await problems(() => fleet.callTool({ name: "a__x" }, undefined, { timout: 1 } as never)), [
      'fleet: timout is not an option of a call; did you mean "timeout"?'
    ])
    assert.strictEqual(client.status.state, "Idle")
  })

  it("[F1] a command takes a signal and no other option", async () => {
    await using client = await connect({ command: "a" }, lazy)
    await using fleet = await connectAll({ mcpServers: { a: { command: "a", ...lazy } } })
    const refused = ["a: timeout is not an option of a command; there are: signal"]
    const options = { timeout: 5 } as never
    for (const command of ["reconnect", "enable", "disable", "disconnect", "refresh"] as const) {
      assert.deepEqual(await problems(() => client[command](options)), refused, command)
      assert.deepEqual(await problems(() => fleet[command]("a", options)), refused, command)
    }
    assert.deepEqual(await problems(() => client.healthCheck(options)), refused)
    assert.deepEqual(await problems(() => fleet.refresh(undefined, { signal: 5 } as never)), [
      "fleet: signal is 5; accepted: an AbortSignal"
    ])
    assert.strictEqual(client.status.state, "Idle")
  })

  it("[T10 F1] a proxy of the environment that is no address is a ConfigError with the names of its servers", async () => {
    const before = process.env["http_proxy"]
    process.env["http_proxy"] = "proxy.test:port"
    try {
      const url = "http://mcp.test/mcp"
      const said = [
        /^a: http_proxy of the environment is not the address of a proxy; accepted: .*mcp\.test in NO_PROXY$/
      ]
      for (
        const refused of [
          await problems(() => connect({ url }, { name: "a" })),
          await problems(() => connectAll({ mcpServers: { a: { url } } }))
        ]
      ) {
        assert.strictEqual(refused.length, 1)
        assert.match(refused[0]!, said[0]!)
      }
    } finally {
      if (before === undefined) delete process.env["http_proxy"]
      else process.env["http_proxy"] = before
    }
  })

  it("[C11 F1] the options of a request that onConnected makes are checked, too", async () => {
    const said: Array<string> = []
    await using client = await connect(Everything.stdio, {
      name: "one",
      onConnected: async (session) => {
        const call = (options: object) => session.callTool({ name: "echo", arguments: { message: "hi" } }, options)
        said.push(...await problems(() => call({ timout: 5 })), ...await problems(() => call({ timeout: -1 })))
        await call({ timeout: "5s" })
      }
    })
    assert.strictEqual(client.status.generation, 1)
    assert.deepEqual(said.map((line) => line.slice(0, line.indexOf(";"))), [
      "one: timout is not an option of a request of a session",
      "one: timeout is -1"
    ])
  })

  it("[F1] a key of a server that does not exist or belongs to the other kind is refused, with what is to be done", async () => {
    const url = "http://127.0.0.1/mcp"
    assert.deepEqual(await problems(untyped({ url, headerss: { a: "s3cret" } })), [
      '127-0-0-1: headerss is not an option of a server; did you mean "headers"?'
    ])
    assert.deepEqual(await problems(untyped({ command: "a", headers: { a: "s3cret" } })), [
      "a: headers belongs to a server with a url, and this one has a command; leave it out, or pass it on by env"
    ])
    assert.deepEqual(await problems(untyped({ comand: "s3cret" }, { name: "one" })), [
      'one: comand is not an option of a server; did you mean "command"?'
    ])
    assert.deepEqual(await problems(untyped({ command: "", type: "http" }, { name: "one" })), [
      "one: command is empty; accepted: a string that is not",
      'one: type is "http"; accepted: "stdio" or "local", since this server has a command'
    ])
    assert.deepEqual(await problems(untyped({ args: [] }, { name: "one" })), [
      "one: server has neither command (a program to start) nor url (an address)"
    ])
    assert.deepEqual(await problems(untyped({ url, args: ["s3cret"] })), [
      "127-0-0-1: args belongs to a server with a command, and this one has a url; leave it out"
    ])
    assert.deepEqual(await problems(untyped({ command: "a", stdio: { stdinGrce: 5, termGrace: "1h" } })), [
      'a: stdio.stdinGrce is not an option of a server that is started; did you mean "stdinGrace"?',
      'a: stdio.termGrace is "1h"; accepted: 0 ms to 10 min, as milliseconds or as a text such as "5s" or "5 minutes"'
    ])
    assert.deepEqual(await problems(untyped({ command: "a", onConnected: () => {} })), [
      "a: onConnected is not an option of a server; give it in the second argument"
    ])
    assert.deepEqual(await problems(untyped({ command: "a", alwaysAllow: [] })), [
      "a: alwaysAllow belongs to another program and has no effect here; leave it out"
    ])
  })

  it("[F1 F2] what belongs to the SDK's transports is read where it makes sense, else refused by name", async () => {
    await using server = await HttpFaultServer.open()
    const requestInit = { headers: { Authorization: "Bearer one", "X-One": "1" } }
    for (
      const init of [requestInit, { headers: new Headers(requestInit.headers) }, {
        headers: Object.entries(requestInit.headers)
      }]
    ) {
      await using client = await connect({ url: server.url, requestInit: init, headers: { "x-two": "2" } } as Server)
      await client.ping()
      const { headers } = server.seen.at(-1) ?? assert.fail("nothing was sent")
      assert.deepInclude(headers, { authorization: "Bearer one", "x-one": "1", "x-two": "2" })
    }
    await using client = await connect({
      url: server.url,
      requestInit,
      headers: () => ({ authorization: "Bearer two" })
    })
    await client.ping()
    assert.deepInclude(server.seen.at(-1)?.headers, { authorization: "Bearer two", "x-one": "1" })
    const said = await problems(untyped({
      url: server.url,
      sessionId: "s3cret",
      reconnectionOptions: { maxRetries: 3 },
      requestInit: { headers: {}, credentials: "include" }
    }, { name: "one" }))
    assert.deepEqual(said.map((line) => line.split(": ", 2).join(": ")), [
      "one: sessionId is not supported",
      "one: reconnectionOptions is not supported",
      "one: requestInit.credentials is not supported"
    ])
    assert.match(said[1] ?? "", /reconnect: { initialDelay, factor, maxDelay, maxAttempts }/)
  })

  it("[F1 T10] a dispatcher of undici sends everything, and stays the caller's", async () => {
    await using server = await HttpFaultServer.open()
    const dispatcher = new Agent()
    const paths: Array<string> = []
    const counting = dispatcher.compose((dispatch) => (options, handler) => {
      paths.push(`${options.method} ${options.path}`)
      return dispatch(options, handler)
    })
    const client = await connect({ url: server.url, dispatcher: counting })
    await client.ping()
    await client.close()
    assert.includeMembers(paths, ["POST /mcp", "DELETE /mcp"])
    assert.isFalse(dispatcher.closed)
    await dispatcher.close()
    assert.deepEqual(await problems(fleetOf({ mcpServers: { a: { url: server.url, dispatcher: {} } } })), [
      "a: dispatcher is an object; accepted: an undici dispatcher, which only code can give"
    ])
  })

  it("[F1 T12 T14] bounds of HTTP reach the connector, which checks them", async () => {
    const wrong = { maxMessageBytes: 10, maxSockets: 0, maxSocket: 8 }
    assert.deepEqual(await problems(fleetOf({ mcpServers: { a: { url: "http://127.0.0.1:1/mcp", http: wrong } } })), [
      "a: http.maxMessageBytes is 10; accepted: a whole number of at least 1024",
      "a: http.maxSockets is 0; accepted: a whole number from 1 to 10000",
      'a: http.maxSocket is not an option of a server with a url; did you mean "maxSockets"?'
    ])
    await using server = await HttpFaultServer.open({ tools: { long: { run: () => "x".repeat(2000) } } })
    await using client = await connect({ url: server.url, http: { maxMessageBytes: 1024 } })
    const error = await client.callTool({ name: "long" }).catch((error: unknown) => error)
    assert.include(String(error), "longer than 1024 bytes (maxMessageBytes)")
  })

  it("[F1] one error names all that is wrong: with options, with a server, with every server of a fleet", async () => {
    assert.deepEqual(
      await problems(untyped({ command: 5, env: { A: {} }, calls: { retry: "no" } }, { keepalive: { interval: 1 } })),
      [
        "5: keepalive.interval is 1; accepted: 1 s to 24 h",
        "5: command is a number; accepted: a string that is not empty, or an array of strings",
        '5: env.A is an object; accepted: a string, a number, a boolean or { "command": [..] }',
        '5: calls.retry is "no"; accepted: "safe" or "never"'
      ]
    )
    assert.deepEqual(
      await problems(fleetOf({
        mcpServers: {
          good: { command: "a" },
          a: { command: "a", keepalive: { interval: 1 } },
          b: { url: "ftp://s3cret", type: "socket" },
          "": { command: "a" }
        },
        keepalive: { timeout: -1 }
      }, { require: "some" })),
      [
        'fleet: require is "some"; accepted: "any" or "all"',
        "fleet: keepalive.timeout is -1; accepted: 1 ms to 1 h",
        "a: keepalive.interval is 1; accepted: 1 s to 24 h",
        "b: url is not an address; accepted: one that begins with http:// or https://",
        'b: type is "socket"; accepted: "auto", "http", "streamable-http", "streamableHttp", "streamable_http", "remote" or "sse"',
        "fleet: mcpServers has a server without a name; give it one"
      ]
    )
  })
})

describe("the configuration of connectAll", () => {
  it("[F1 G2] is read as an mcp.json is: servers, other names, numbers in env, lifeline, variables", async () => {
    await using http = await HttpFaultServer.open()
    const { args = [], command } = Everything.stdio
    await using fleet = await connectAll({
      lifeline: { keepalive: { method: "none" } },
      servers: {
        one: {
          command: "${PROGRAM}",
          args: args.map((arg, index) => index === 0 ? "${ENTRY:-nothing}" : arg),
          env: { LEVEL: 3, DEBUG: true, TOKEN: "${env:TOKEN}" },
          lifeline: { calls: { failFast: true } },
          alwaysAllow: ["echo"]
        } as Server,
        two: { type: "streamableHttp", serverUrl: "${URL}", headers: { "x-token": "Bearer ${TOKEN}", "x-level": 3 } }
      }
    }, { variables: { PROGRAM: command, ENTRY: args[0], TOKEN: "$${TOKEN}", URL: http.url }, require: "all" })
    const env = JSON.stringify(await fleet.callTool({ name: "one__get-env" }))
    assert.match(env, /LEVEL[^,]*3/)
    assert.match(env, /DEBUG[^,]*true/)
    assert.include(env, "$${TOKEN}")
    assert.deepInclude(http.seen.at(-1)?.headers, { "x-token": "Bearer $${TOKEN}", "x-level": "3" })
    assert.strictEqual(fleet.status["one"]?.keepalive.state, "off")
  })

  it("[F1 G2] takes variables from the environment, reports those that are not set, and can leave texts as they are", async () => {
    process.env["LIFELINE_TEST_URL"] = "http://127.0.0.1:1/from-the-environment"
    try {
      const server = { url: "${LIFELINE_TEST_URL}", ...lazy }
      await using fleet = await connectAll({ mcpServers: { one: server } })
      assert.strictEqual(fleet.status["one"]?.target, process.env["LIFELINE_TEST_URL"])
      process.env["LIFELINE_TEST_URL"] = "http://127.0.0.1:1/changed"
      assert.deepEqual((await fleet.apply({ mcpServers: { one: server } })).replaced, ["one"])
      assert.deepEqual((await fleet.apply({ mcpServers: { one: server } })).replaced, [])
    } finally {
      delete process.env["LIFELINE_TEST_URL"]
    }
    const literally = ", or give the option variables: false to leave every text as it is"
    const script = { command: "sh", args: ["-c", "exec ${LIFELINE_TEST_NOT_SET}"], env: { A: "${input:s}" }, ...lazy }
    assert.deepEqual(await problems(fleetOf({ mcpServers: { one: script } })), [
      "one: args[1] has ${LIFELINE_TEST_NOT_SET}, which is not set; set LIFELINE_TEST_NOT_SET in the environment or write "
      + "${LIFELINE_TEST_NOT_SET:-default}" + literally,
      "one: env.A has ${input:s}, which is not set; set S in the environment or write ${input:s:-default}" + literally
    ])
    await using literal = await connectAll({ mcpServers: { one: script } }, { variables: false })
    assert.include(literal.status["one"]?.target, "${LIFELINE_TEST_NOT_SET}")
    await using client = await connect(script)
    assert.include(client.status.target, "${LIFELINE_TEST_NOT_SET}")
  })

  it("[F1 G2] what is misspelt or out of place at the top is refused", async () => {
    assert.deepEqual(await problems(fleetOf({ mcpServers: {}, keepAlive: {}, require: "all", inputs: [] })), [
      'fleet: keepAlive is not an option of an mcp.json; did you mean "keepalive"?',
      "fleet: require is not an option of an mcp.json; give it in the second argument"
    ])
    assert.deepEqual(await problems(fleetOf({ mcpServer: {} })), [
      'fleet: mcpServer is not an option of an mcp.json; did you mean "mcpServers"?',
      "fleet: mcpServers is missing; accepted: an object of servers by name"
    ])
    await using fleet = await connectAll({ mcpServers: {} })
    assert.deepEqual(
      await problems(() => fleet.apply({ mcpServers: { a: { command: "a", headers: {}, arg: [] } } } as never)),
      [
        'a: arg is not an option of a server; did you mean "args"?'
      ]
    )
  })

  it("[C10 F1] values of env and headers are nowhere to be seen", async () => {
    const { args, command } = StdioFaultServer.command()
    await using fleet = await connectAll({
      mcpServers: {
        one: { command, args, env: { TOKEN: "${TOKEN}" }, ...lazy },
        two: {
          url: "http://127.0.0.1:1/",
          headers: { "x-token": "s3cret" },
          requestInit: { headers: { a: "s3cret" } },
          ...lazy
        }
      }
    }, { variables: { TOKEN: "s3cret" } })
    assert.notInclude(inspect([fleet, fleet.status, fleet.client("one")], { depth: 20, showHidden: true }), "s3cret")
  })
})
