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
import type { UnauthorizedError as OfficialUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import type { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { McpError } from "@modelcontextprotocol/sdk/types.js"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, expectTypeOf, it } from "vitest"

/** What programs that were written for the official Client use of it once it is connected. */
type Used =
  | "callTool"
  | "listTools"
  | "listPrompts"
  | "getPrompt"
  | "listResources"
  | "listResourceTemplates"
  | "readResource"
  | "subscribeResource"
  | "unsubscribeResource"
  | "complete"
  | "setLoggingLevel"
  | "ping"
  | "getServerCapabilities"
  | "getServerVersion"
  | "getInstructions"
  | "setRequestHandler"
  | "removeRequestHandler"
  | "setNotificationHandler"
  | "removeNotificationHandler"
  | "request"
  | "notification"
  | "sendRootsListChanged"
  | "onclose"
  | "onerror"
  | "close"

describe("types", () => {
  it("[F2:types] a supervised client goes where the official Client goes, method for method", () => {
    expectTypeOf<Client>().toExtend<Pick<SdkClient, Used>>()
    expectTypeOf<Awaited<ReturnType<Client["callTool"]>>>().toEqualTypeOf<Awaited<ReturnType<SdkClient["callTool"]>>>()
    expectTypeOf<ReturnType<Client["listTools"]>>().toEqualTypeOf<ReturnType<SdkClient["listTools"]>>()
    expectTypeOf<ReturnType<Client["listPrompts"]>>().toEqualTypeOf<ReturnType<SdkClient["listPrompts"]>>()
    expectTypeOf<ReturnType<Client["getPrompt"]>>().toEqualTypeOf<ReturnType<SdkClient["getPrompt"]>>()
    expectTypeOf<ReturnType<Client["listResources"]>>().toEqualTypeOf<ReturnType<SdkClient["listResources"]>>()
    expectTypeOf<ReturnType<Client["readResource"]>>().toEqualTypeOf<ReturnType<SdkClient["readResource"]>>()
    expectTypeOf<ReturnType<Client["complete"]>>().toEqualTypeOf<ReturnType<SdkClient["complete"]>>()
    expectTypeOf<ReturnType<Client["ping"]>>().toEqualTypeOf<ReturnType<SdkClient["ping"]>>()
    type Common = keyof SdkClient & keyof Client
    type ParametersOf<M extends Common> = SdkClient[M] extends (...args: infer A) => unknown ? A : []
    type OursOf<M extends Common> = Client[M] extends (...args: infer A) => unknown ? A : []
    /** What can be given to the official Client's and not to ours. */
    type Narrower = { [M in Common]: ParametersOf<M> extends OursOf<M> ? never : M }[Common]
    expectTypeOf<Exclude<Common, Used>>().toBeNever()
    expectTypeOf<Narrower>().toBeNever()
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
      (Core.CallError | Core.CommandError | Core.ConfigError)["_tag"] | "UnauthorizedError"
    >()
    expectTypeOf<Facade.RemoteError>().toExtend<McpError>()
    expectTypeOf<Facade.UnauthorizedError>().toExtend<OfficialUnauthorizedError>()
    const remote = new Facade.RemoteError({ backend: "b", method: "tools/call", code: -32601, message: "m", data: 1 })
    assert.instanceOf(remote, McpError)
    assert.instanceOf(remote, Error)
    assert.deepInclude({ ...remote }, { _tag: "RemoteError", code: -32601, backend: "b", retryable: false, data: 1 })
    assert.strictEqual(new Facade.RequestTimeout({ backend: "b", method: "m", timeout: 1, message: "t" }).code, -32001)
    assert.strictEqual(new Facade.ResultUnknown({ backend: "b", method: "m", message: "t" }).code, -32000)
  })

  it("the facade's options and status are the core's, with plain durations", () => {
    expectTypeOf<PolicyOptions>().toExtend<Core.Policy.PolicyOptions>()
    expectTypeOf<keyof PolicyOptions>().toEqualTypeOf<keyof Core.Policy.PolicyOptions>()
    expectTypeOf<keyof NonNullable<PolicyOptions["keepalive"]>>()
      .toEqualTypeOf<keyof Core.Policy.KeepaliveOptions>()
    expectTypeOf<keyof NonNullable<PolicyOptions["reconnect"]>>()
      .toEqualTypeOf<keyof Core.Policy.ReconnectOptions>()
    expectTypeOf<keyof NonNullable<PolicyOptions["timeouts"]>>().toEqualTypeOf<keyof Core.Policy.TimeoutOptions>()
    expectTypeOf<keyof NonNullable<PolicyOptions["calls"]>>().toEqualTypeOf<keyof Core.Policy.CallsOptions>()
    expectTypeOf<Core.Status>().toExtend<Status>()
    expectTypeOf<Status>().toExtend<Core.Status>()
    expectTypeOf<{ keepalive: { interval: "5 minutes" } }>().toExtend<ConnectOptions>()
    expectTypeOf<{ keepalive: { interval: "5 minuets" } }>().not.toExtend<ConnectOptions>()
    expectTypeOf<Fleet>().toExtend<AsyncDisposable>()
    expectTypeOf<Client>().toExtend<AsyncDisposable>()
  })

  it("[F4:types] no declaration that a user sees takes a type from Effect or from the core", () => {
    const root = join(dirname(fileURLToPath(import.meta.url)), "../dist/index.d.ts")
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
        else foreign.add(specifier)
      }
    }
    visit(root)
    assert.isAtLeast(seen.size, 7)
    assert.deepEqual([...foreign].filter((name) => !name.startsWith("@modelcontextprotocol/sdk/")), [])
  })
})
