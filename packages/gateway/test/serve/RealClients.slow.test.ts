import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Scope } from "effect"
import { execFile } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { everything } from "../../../testing/test/support/Built.js"
import { folder as makeFolder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import * as Inspector from "../support/Inspector.js"
import * as Program from "../support/Program.js"
import { afterAll, beforeAll, describe, expect, test } from "../support/vitest.js"

const published = (name: string): string =>
  join(dirname(createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)), "dist/index.js")

/** By itself mcporter waits 30 s for a list and 60 s for a call. */
const patient = { MCPORTER_LIST_TIMEOUT: "150000", MCPORTER_CALL_TIMEOUT: "150000" }

const run = (file: string, args: ReadonlyArray<string>, cwd?: string, timeout = 150_000) =>
  new Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      [file, ...args],
      { cwd, maxBuffer: 1 << 24, timeout, env: { ...process.env, ...patient, NO_COLOR: "1" } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    )
  )

const gateway = Effect.gen(function*() {
  const folder = yield* makeFolder
  writeFileSync(join(folder, "note.txt"), "a note")
  const node = (...args: ReadonlyArray<string>) => ({ command: process.execPath, args })
  const served = yield* Gateway.serve({
    every: node(everything, "stdio"),
    files: node(published("server-filesystem"), folder),
    memory: { ...node(published("server-memory")), env: { MEMORY_FILE_PATH: join(folder, "memory.jsonl") } },
    think: node(published("server-sequential-thinking"))
  })
  for (const name of ["every", "files", "memory", "think"]) {
    yield* Gateway.untilStatus(served.base, Gateway.isConnected, name)
  }
  return { ...served, folder, url: new URL(`${served.base}/mcp`) }
})

interface Some {
  readonly client: Pick<
    ClientV1,
    | "listTools"
    | "listPrompts"
    | "getPrompt"
    | "listResources"
    | "readResource"
    | "complete"
    | "setLoggingLevel"
    | "close"
    | "getInstructions"
  >
  readonly call: (
    name: string,
    args: Record<string, unknown>,
    options?: { readonly onprogress?: (one: { readonly progress: number }) => void; readonly signal?: AbortSignal }
  ) => Promise<unknown>
  readonly loggers: Array<string>
}

const clientInfo = { name: "real", version: "1" }

const v2 = async (url: URL): Promise<Some> => {
  const client = new ClientV2(clientInfo, { versionNegotiation: { mode: "auto" } })
  const loggers: Array<string> = []
  client.setNotificationHandler("notifications/message", ({ params }) => void loggers.push(String(params.logger)))
  await client.connect(new HttpV2(url))
  expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
  return {
    client: client as never,
    loggers,
    call: (name, args, options) => client.callTool({ name, arguments: args }, options)
  }
}

const clients: Readonly<Record<string, (url: URL) => Promise<Some>>> = {
  "the official Client": async (url) => {
    const client = new ClientV1(clientInfo)
    const loggers: Array<string> = []
    client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void loggers.push(String(params.logger))
    )
    await client.connect(new HttpV1(url) as Transport)
    return {
      client,
      loggers,
      call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options)
    }
  },
  "the v2 client, 2026-07-28": v2
}

/** Where what is installed for these tests stays. */
const installed = fileURLToPath(new URL("../../../../build/clients/", import.meta.url))
const mcporter = join(installed, "node_modules/mcporter/dist/cli.js")
const npm = join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js")
/** npm writes it last. */
const lock = join(installed, "node_modules/.package-lock.json")
if (!existsSync(lock) && existsSync(npm)) {
  await run(npm, ["install", "--prefix", installed, "--no-audit", "--no-fund", "mcporter@0.12.3"], undefined, 60_000)
}
const isThere = existsSync(lock)

describe("published clients and servers", () => {
  const scope = Effect.runSync(Scope.make())
  let shared: Effect.Effect.Success<typeof gateway>
  beforeAll(async () => {
    shared = await Effect.runPromise(Scope.extend(gateway, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  for (const [name, connect] of Object.entries(clients)) {
    test.scopedLive(`[G3 E8] ${name}: lists, calls, a resource, a prompt, completion, logging, progress, cancellation`, function*() {
      const { folder, url } = shared
      const { call, client, loggers } = yield* Effect.acquireRelease(
        Effect.promise(() => connect(url)),
        ({ client }) => Effect.promise(() => client.close())
      )
      const said = async (...args: Parameters<Some["call"]>) => JSON.stringify(await call(...args))
      yield* Effect.promise(async () => {
        const { tools } = await client.listTools()
        expect(new Set(tools.map((tool) => tool.name.split("__")[0]))).toEqual(
          new Set(["every", "files", "memory", "think", "lifeline"])
        )
        expect(client.getInstructions()).toContain("every")
        expect(await said("every__echo", { message: "hi" })).toContain("Echo: hi")
        expect(await said("files__read_text_file", { path: join(folder, "note.txt") })).toContain("a note")
        const entities = [{ name: "Ada", entityType: "person", observations: ["counts"] }]
        await call("memory__create_entities", { entities })
        expect(await said("memory__read_graph", {})).toContain("Ada")
        const thought = { thought: "one", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false }
        expect(await said("think__sequentialthinking", thought)).toContain("thoughtNumber")

        const { resources } = await client.listResources()
        const uri = resources.find((one) => one.uri.startsWith("demo://"))?.uri ?? ""
        expect((await client.readResource({ uri })).contents[0]?.uri).toBe(uri)
        const { prompts } = await client.listPrompts()
        expect(prompts.map((prompt) => prompt.name)).toContain("every__simple-prompt")
        expect((await client.getPrompt({ name: "every__simple-prompt" })).messages).not.toEqual([])
        const { completion } = await client.complete({
          ref: { type: "ref/prompt", name: "every__completable-prompt" },
          argument: { name: "department", value: "S" }
        })
        expect(completion.values).toEqual(["Sales", "Support"])

        const progress: Array<number> = []
        const controller = new AbortController()
        const cancelled = call("every__trigger-long-running-operation", { duration: 300, steps: 6000 }, {
          onprogress: (one) => {
            if (progress.push(one.progress) === 3) controller.abort("enough")
          },
          signal: controller.signal
        })
        await expect(cancelled).rejects.toThrow()
        expect(progress.slice(0, 3)).toEqual([1, 2, 3])
      })
      if (name.includes("2026")) return
      yield* Effect.promise(async () => {
        await client.setLoggingLevel("debug")
        await call("every__toggle-simulated-logging", {})
      })
      expect(yield* Program.eventually(() => loggers[0])).toBe("every")
      yield* Effect.promise(() => call("every__toggle-simulated-logging", {}))
    })
  }

  test.scopedLive("[G3] the inspector's command line: lists, calls, a resource, a prompt", function*() {
    const { folder, url } = shared
    const cli = Inspector.copy(folder)
    const ask = (...args: ReadonlyArray<string>) =>
      Effect.promise(async () => {
        const { code, stderr, stdout } = await run(cli, [url.href, "--transport", "http", ...args])
        if (code !== 0) throw new Error(stderr)
        return JSON.parse(stdout)
      })
    const { tools } = yield* ask("--method", "tools/list")
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["every__echo", "memory__read_graph"])
    )
    const called = yield* ask("--method", "tools/call", "--tool-name", "every__echo", "--tool-arg", "message=hi")
    expect(called.content).toEqual([{ type: "text", text: "Echo: hi" }])
    const { resources } = yield* ask("--method", "resources/list")
    const { uri } = resources.find((one: { uri: string }) => one.uri.startsWith("demo://"))
    expect((yield* ask("--method", "resources/read", "--uri", uri)).contents[0].uri).toBe(uri)
    expect((yield* ask("--method", "prompts/get", "--prompt-name", "every__simple-prompt")).messages).not.toEqual([])
  })

  test.scopedLive.skipIf(!isThere)(
    `[G3] mcporter lists and calls${isThere ? "" : " (skipped: mcporter cannot be installed from the registry)"}`,
    function*() {
      const { folder, url } = shared
      const config = join(folder, "mcporter.json")
      writeFileSync(config, JSON.stringify({ mcpServers: { lifeline: { baseUrl: url.href } } }))
      const ask = (...args: ReadonlyArray<string>) =>
        Effect.promise(() => run(mcporter, ["--config", config, ...args], folder))
      const listed = yield* ask("list", "lifeline", "--json")
      expect(listed.stdout).toContain("every__echo")
      const called = yield* ask("call", "lifeline.every__echo", "message=hi")
      expect([called.code, called.stdout.trim()]).toEqual([0, "Echo: hi"])
    }
  )
})
