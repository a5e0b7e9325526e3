import type { MCPTransport } from "@ai-sdk/mcp"
import type {
  Client,
  ConnectOptions,
  Fleet,
  LifelineError,
  LifelineErrorShape,
  PolicyOptions,
  Status,
  SupervisedTransport
} from "@mcp-lifeline/client"
import * as Facade from "@mcp-lifeline/client"
import type * as Core from "@mcp-lifeline/core"
import type { FiltersStatus, PinsStatus, ServerOptions } from "@mcp-lifeline/extensions"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import type { UnauthorizedError as OfficialUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import type { Client as SdkClient, ClientOptions } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { McpError } from "@modelcontextprotocol/sdk/types.js"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, expectTypeOf, it } from "vitest"

describe("types", () => {
  it("[F2:types] a supervised client goes where the official Client goes, method for method", () => {
    expectTypeOf<Client>().toExtend<SdkClient>()
    expectTypeOf<Awaited<ReturnType<Client["callTool"]>>>().toEqualTypeOf<Awaited<ReturnType<SdkClient["callTool"]>>>()
    expectTypeOf<ReturnType<Client["listTools"]>>().toEqualTypeOf<ReturnType<SdkClient["listTools"]>>()
    expectTypeOf<ReturnType<Client["listPrompts"]>>().toEqualTypeOf<ReturnType<SdkClient["listPrompts"]>>()
    expectTypeOf<ReturnType<Client["getPrompt"]>>().toEqualTypeOf<ReturnType<SdkClient["getPrompt"]>>()
    expectTypeOf<ReturnType<Client["listResources"]>>().toEqualTypeOf<ReturnType<SdkClient["listResources"]>>()
    expectTypeOf<ReturnType<Client["readResource"]>>().toEqualTypeOf<ReturnType<SdkClient["readResource"]>>()
    expectTypeOf<ReturnType<Client["complete"]>>().toEqualTypeOf<ReturnType<SdkClient["complete"]>>()
    expectTypeOf<ReturnType<Client["ping"]>>().toEqualTypeOf<ReturnType<SdkClient["ping"]>>()
    expectTypeOf<Parameters<Client["callTool"]>[0]>().toEqualTypeOf<Parameters<SdkClient["callTool"]>[0]>()
    expectTypeOf<Parameters<Client["callTool"]>[2]>().toEqualTypeOf<Facade.CallOptions | undefined>()
    expectTypeOf<Parameters<Client["listTools"]>[0]>().toEqualTypeOf<Parameters<SdkClient["listTools"]>[0]>()
    expectTypeOf<Parameters<Client["listTools"]>[1]>().toEqualTypeOf<Facade.CallOptions | undefined>()
    /** It is connected, and cannot be connected again. */
    type Common = Exclude<keyof SdkClient & keyof Client, "connect">
    type ParametersOf<M extends Common> = SdkClient[M] extends (...args: infer A) => unknown ? A : []
    type OursOf<M extends Common> = Client[M] extends (...args: infer A) => unknown ? A : []
    type Narrower = { [M in Common]: ParametersOf<M> extends OursOf<M> ? never : M }[Common]
    expectTypeOf<Narrower>().toBeNever()
  })

  it("[F2:types] the options of the official Client are options of connect and connectAll, each of them", () => {
    expectTypeOf<ClientOptions>().toExtend<ConnectOptions>()
    expectTypeOf<ClientOptions>().toExtend<Facade.FleetOptions>()
    expectTypeOf<keyof ClientOptions>().toEqualTypeOf<keyof Facade.OfficialOptions | "capabilities">()
  })

  it("[F3:types] a supervised transport goes where the official Client and others take one", () => {
    expectTypeOf<SupervisedTransport>().toExtend<Transport>()
    expectTypeOf<SupervisedTransport>().toExtend<Parameters<SdkClient["connect"]>[0]>()
    expectTypeOf<SupervisedTransport>().toExtend<MCPTransport>()
    expectTypeOf<SupervisedTransport>().toExtend<AsyncDisposable>()
  })

  it("[F4] every error is an Error with _tag, code, backend and retryable", () => {
    expectTypeOf<LifelineError>().toExtend<Error & LifelineErrorShape>()
    expectTypeOf<LifelineError["_tag"]>().toEqualTypeOf<
      (Core.CallError | Core.CommandError)["_tag"] | "ConfigError" | "UnauthorizedError"
    >()
    expectTypeOf<Facade.RemoteError>().toExtend<McpError>()
    expectTypeOf<Facade.UnauthorizedError>().toExtend<OfficialUnauthorizedError>()
    const remote = new Facade.RemoteError({ backend: "b", method: "tools/call", code: -32601, message: "m", data: 1 })
    assert.instanceOf(remote, McpError)
    assert.instanceOf(remote, Error)
    assert.deepInclude({ ...remote }, { _tag: "RemoteError", code: -32601, backend: "b", retryable: false, data: 1 })
    assert.strictEqual(new Facade.RequestTimeout({ backend: "b", method: "m", timeout: 1, message: "t" }).code, -32001)
    assert.strictEqual(new Facade.ResultUnknown({ backend: "b", method: "m", message: "t" }).code, -32000)
    const busy = new Facade.BackendUnavailable({ backend: "b", state: "Busy", message: "m" })
    const connect = new Facade.ConnectError({ ...busy, message: "n", reason: "timeout", permanent: true })
    assert.deepInclude({ ...connect }, { _tag: "ConnectError", code: "ERR_LIFELINE_CONNECT", retryable: false })
  })

  it("the facade's options and status are the core's, with plain durations", () => {
    expectTypeOf<PolicyOptions>().toExtend<ServerOptions.ServerOptions>()
    expectTypeOf<Omit<Status, keyof (FiltersStatus & PinsStatus)>>().toEqualTypeOf<Omit<Core.Status, never>>()
    expectTypeOf<{ keepalive: { interval: "5 minutes" } }>().toExtend<ConnectOptions>()
    expectTypeOf<{ keepalive: { interval: "5 minuets" } }>().not.toExtend<ConnectOptions>()
    expectTypeOf<Fleet>().toExtend<AsyncDisposable>()
    expectTypeOf<Client>().toExtend<AsyncDisposable>()
  })

  it("[F1:types] what is refused at run time does not compile either", () => {
    const stdio = { command: "a" } as const
    const http = { url: "http://127.0.0.1/" } as const
    const accepted: ReadonlyArray<Facade.Server> = [
      {
        command: "a",
        env: { LEVEL: 3, DEBUG: true },
        stdio: { stdinGrace: "5s" },
        timeouts: { wait: "10 ms", request: "7 d" }
      },
      { ...http, type: "streamableHttp", headers: new Headers(), requestInit: { headers: [["a", "b"]] } },
      { ...http, lifeline: { keepalive: { interval: "5min" } }, fetch },
      { transport: () => new StdioClientTransport(stdio), calls: { failFast: true } },
      { connector: MemoryConnector.make({ server: () => new McpServer({ name: "a", version: "1" }) }) }
    ]
    // @ts-expect-error headers belong to a server with a url
    const headers: Facade.Server = { ...stdio, headers: {} }
    // @ts-expect-error env belongs to a server with a command
    const env: Facade.Server = { ...http, env: {} }
    // @ts-expect-error no such key
    const typo: Facade.Server = { ...http, headerss: {} }
    // @ts-expect-error a server with a command has no requests over HTTP
    const fetched: Facade.Server = { ...stdio, fetch }
    // @ts-expect-error one or the other
    const twice: Facade.Server = { ...http, transport: () => new StdioClientTransport(stdio) }
    // @ts-expect-error of requestInit only headers are read
    const init: Facade.Server = { ...http, requestInit: { credentials: "include" } }
    // @ts-expect-error an option of connectAll
    const connect: ConnectOptions = { connectConcurrency: 1 }
    // @ts-expect-error an option of connect
    const connectAll: Facade.FleetOptions = { name: "a" }
    // @ts-expect-error the client says it itself
    const transport: Facade.TransportOptions = { capabilities: {} }
    // @ts-expect-error no such option
    const call: Facade.CallOptions = { timout: 300 }
    // @ts-expect-error no such unit
    const unit: Facade.Duration = "5 minuets"
    // @ts-expect-error the servers stand under one name
    const both: Facade.FleetConfig = { mcpServers: {}, servers: {} }
    const configs: ReadonlyArray<Facade.FleetConfig | Facade.VsCodeConfig> = [
      { mcpServers: { a: stdio, b: { serverUrl: "${URL}" } }, keepalive: { interval: "1 min" } },
      { servers: { a: { httpUrl: "${URL}" } }, lifeline: { calls: { failFast: true } } }
    ]
    assert.isDefined([
      accepted,
      headers,
      env,
      typo,
      fetched,
      twice,
      init,
      connect,
      connectAll,
      transport,
      call,
      unit,
      both,
      configs
    ])
  })

  it("[F4:types] no declaration that a user sees takes a type from Effect", () => {
    const packages = join(dirname(fileURLToPath(import.meta.url)), "../..")
    const root = join(packages, "promise/dist/index.d.ts")
    assert.isTrue(existsSync(root), "build the package first")
    const seen = new Set<string>()
    const foreign = new Set<string>()
    const visit = (file: string): void => {
      if (seen.has(file)) return
      seen.add(file)
      const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "")
      for (
        const [, specifier] of code.matchAll(/(?:\bfrom\s+|\bimport\(\s*|\bimport\s+)"([^"]+)"/g)
      ) {
        if (specifier === undefined) continue
        if (specifier.startsWith(".")) visit(join(dirname(file), specifier.replace(/\.js$/, ".d.ts")))
        else {
          const [, shown] = /^@mcp-lifeline\/(core|extensions)\/types$/.exec(specifier) ?? []
          if (shown === undefined) foreign.add(specifier)
          else visit(join(packages, shown, "dist/types.d.ts"))
        }
      }
    }
    visit(root)
    assert.isAtLeast(seen.size, 7)
    assert.deepEqual([...foreign].filter((name) => !name.startsWith("@modelcontextprotocol/sdk/")), [])
  })
})
