/**
 * Projects as users have them, with our packed packages installed: made, type-checked, and used on each Node.js.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { capture, start } from "./run.mjs"

/** @typedef {Readonly<Record<string, string>>} Dependencies */

/** The Node.js versions that are supported. */
export const majors = [20, 22, 24]

/** This Node.js. */
export const ours = { major: Number(process.versions.node.split(".")[0]), node: process.execPath }

/**
 * Node.js versions: this one first, and the latest of each other major that is supported, or of the newest alone.
 *
 * @param {boolean} isAll
 * @returns {Promise<Array<{ major: number, node: string }>>}
 */
export const nodes = (isAll) => {
  // An npx around us would tell ours what to run.
  delete process.env["npm_config_package"]
  delete process.env["npm_config_call"]
  const others = majors.filter((major) => major !== ours.major)
  return Promise.all([ours.major, ...isAll ? others : others.slice(-1)].map(async (major) => {
    const args = ["--yes", "-p", `node@${major}`, "--", "node", "--print", "process.execPath"]
    const node = major === ours.major ? ours.node : (await capture("npx", args)).trim().split("\n").at(-1) ?? ""
    return { major, node }
  }))
}

/**
 * @param {string} directory
 * @param {Dependencies} dependencies
 * @param {Readonly<Record<string, Dependencies>>} [overrides] with any, packages that only may be there are left out
 * @param {ReadonlyArray<string>} [more] other options of npm
 */
export const install = async (directory, dependencies, overrides, more = []) => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module", dependencies, overrides })
  )
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--no-package-lock"]
  if (overrides !== undefined) options.push("--omit=optional", "--legacy-peer-deps")
  await capture("npm", ["install", ...options, ...more, "--loglevel=error"], { cwd: directory })
}

/**
 * Compiles files of a project, as strictly as a user may. Resolves with what is wrong with them or with our declarations: those
 * of other people's packages are not ours to judge.
 *
 * @param {string} directory
 * @param {"NodeNext" | "Bundler"} resolution
 * @param {Readonly<Record<string, string>>} files
 */
export const typeCheck = async (directory, resolution, files) => {
  const config = join(directory, `tsconfig.${resolution}.json`)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: {
        target: "ES2022",
        lib: ["ES2022", "ESNext.Disposable"],
        module: resolution === "Bundler" ? "ESNext" : resolution,
        moduleResolution: resolution,
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true
      },
      files: Object.keys(files)
    })
  )
  const output = await capture("tsc", ["-p", config, "--pretty", "false"], { cwd: directory }).then(
    () => "",
    (/** @type {Error} */ error) => error.message
  )
  return output.split("\n").filter((line) =>
    /^(\w+\.c?ts|error|node_modules\/(@mcp-lifeline|mcp-lifeline)\/)/.test(line)
  ).map((line) => `the installed declarations (${resolution}): ${line}`)
}

/** What somebody writes who uses the facade: checked by the compiler, never run. */
export const consumer = `
import { connect, connectAll, RemoteError, supervisedTransport } from "@mcp-lifeline/client"
import type { Client, ConnectOptions } from "@mcp-lifeline/client"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"

const options: ConnectOptions = { keepalive: { interval: "1 minute" }, timeouts: { wait: 500 } }
export const program = async (): Promise<string> => {
  await using client: Client = await connect({ command: "server" }, options)
  const { tools } = await client.listTools()
  for await (const { state } of client.statusChanges()) if (state === "Closed") break
  await using fleet = await connectAll({ mcpServers: { one: { url: "http://127.0.0.1/mcp" } } })
  const official = new OfficialClient({ name: "one", version: "1" })
  await official.connect(supervisedTransport({ command: "server" }))
  await fleet.callTool({ name: "one__echo" }).catch((error) => error instanceof RemoteError && error.code)
  return tools[0]?.name ?? "none"
}
`

/** What somebody has who uses Effect 4, and writes: checked by the compiler, and run. */
export const effect4 = {
  packages: ["@mcp-lifeline/client", "@mcp-lifeline/effect4"],
  consumer: `
import { Backend, Fleet } from "@mcp-lifeline/effect4"
import type { CallError, InvalidOptions } from "@mcp-lifeline/effect4"
import { adjust } from "@mcp-lifeline/effect4/testing"
import { ToolFailed, toolkit } from "@mcp-lifeline/effect4/toolkit"
import { layerClient } from "@mcp-lifeline/effect4/transport"
import { Effect, Layer } from "effect"
import { type AiError, LanguageModel, McpClient, type McpClientError, McpProtocol } from "effect/ai"

class Docs extends Backend.Service("docs")<Docs>() {}
const echo: Effect.Effect<string, CallError, Docs> = Effect.gen(function*() {
  const { content } = yield* (yield* Docs).callTool({ name: "echo", arguments: { message: "hi" } })
  return JSON.stringify(content)
})
export const Own: Layer.Layer<McpClient.McpClient, McpClientError.McpClientError> = layerClient("own", { command: "server" }, {
  name: "one",
  version: "1",
  protocol: McpProtocol.v2025_11_25
})
const DocsLive: Layer.Layer<Docs, InvalidOptions> = Docs.layer({ command: "server" }, {
  handlers: { roots: Effect.succeed({ roots: [] }) }
})
export const program: Effect.Effect<string, CallError | InvalidOptions> = Effect.provide(echo, DocsLive)
export const FleetLive: Layer.Layer<Fleet.Fleet, InvalidOptions> = Fleet.layer({ mcpServers: {} })
export const moved: Effect.Effect<void> = adjust("1 minute")
export const answer: Effect.Effect<string, CallError | ToolFailed | AiError.AiError, Docs | LanguageModel.LanguageModel> = Effect.gen(function*() {
  const tools = yield* toolkit(yield* Docs, { failureMode: "error" })
  return (yield* LanguageModel.generateText({ prompt: "What is new?", toolkit: tools })).text
})
`
}

/** The loaded facade is `it`, the SDK's client `sdk`; there is a gateway at `url`, and a server that `server` starts. */
const useOfFacade = `
    for (const [name, one] of Object.entries(it)) {
      if (/^[A-Z]/.test(name) && one.name !== name) throw new Error(name + " is called " + one.name)
    }
    const echo = async (client, name) => {
      if (!(client instanceof sdk.Client)) throw new Error("the facade has an SDK of its own")
      const { content } = await client.callTool({ name, arguments: { message: "hi" } })
      if (!JSON.stringify(content).includes("hi")) throw new Error(JSON.stringify(content))
      await client.close()
    }
    await Promise.all([
      it.connect({ command: process.execPath, args: [server, "stdio"] }).then((client) => echo(client, "echo")),
      it.connect({ url }).then((client) => echo(client, "every-stdio__echo")),
      it.connect({ command: "no-such-program" }).then(() => { throw new Error("connected") }, (error) => {
        if (!(error instanceof it.ConnectError)) throw error
      })
    ])
    const older = await it.connect({ url, transport: "sse" }, { timeouts: { connect: 1 } }).catch((error) => error)
    if (!(older instanceof it.ConnectError)) throw new Error("connected with the older transport")`

/** Runs the gateway's demo while `use` does. Rejects when it does not start, or does not end with 0. */
export const withGateway = async (
  /** @type {string} */ node,
  /** @type {string} */ bin,
  /** @type {(url: string) => Promise<unknown>} */ use
) => {
  const { end, found } = await start(
    node,
    [bin, "serve", "--port", "0"],
    (text) => text.includes("every-stdio  Connected") ? /Serving (\S+)/.exec(text)?.[1] : undefined
  )
  try {
    await use(found)
  } catch (error) {
    await end()
    throw error
  }
  const code = await end()
  if (code !== 0) throw new Error(`mcp-lifeline serve ended with ${code} after SIGTERM`)
}

/** Without it CommonJS cannot require ES modules: so it is on Node.js 20.18. */
const strictly = "--no-experimental-require-module"

/** Uses the facade, imported and required, and the gateway, in a project that has nothing else of ours. @param {string} directory @param {string} node */
export const useBundles = async (directory, node) => {
  const modules = join(directory, "node_modules")
  const bin = join(modules, "mcp-lifeline/esm/bin.js")
  const server = join(modules, "@modelcontextprotocol/server-everything/dist/index.js")
  await capture(node, [bin, "--version"], { cwd: directory })
  await capture(node, [bin, "--help"], { cwd: directory })
  await withGateway(node, bin, async (url) => {
    for (const file of ["/", "/page/main.mjs"]) {
      const { status } = await fetch(new URL(file, url))
      if (status !== 200) throw new Error(`the installed gateway answers ${file} of its status page with ${status}`)
    }
    const given = `const url = ${JSON.stringify(url)}, server = ${JSON.stringify(server)};`
    const imported = `const it = await import("@mcp-lifeline/client")
    const sdk = await import("@modelcontextprotocol/sdk/client/index.js")
    ${given}${useOfFacade}`
    const required =
      `const it = require("@mcp-lifeline/client"), sdk = require("@modelcontextprotocol/sdk/client/index.js")
    ;(async () => { ${given}${useOfFacade} })()`
    await Promise.all([
      capture(node, ["--input-type=module", "--eval", imported], { cwd: directory }),
      capture(node, [strictly, "--input-type=commonjs", "--eval", required], { cwd: directory })
    ])
  })
}

/** Uses the package for Effect 4 in a project that has this version of Effect. @param {string} directory @param {string} node */
export const useEffect4 = async (directory, node) => {
  const server = join(directory, "node_modules/@modelcontextprotocol/server-everything/dist/index.js")
  const program = `
    import { Backend, ConnectError } from "@mcp-lifeline/effect4"
    import { adjust } from "@mcp-lifeline/effect4/testing"
    import { toolkit } from "@mcp-lifeline/effect4/toolkit"
    import { layerClient } from "@mcp-lifeline/effect4/transport"
    import { Effect, Stream } from "effect"
    import { LanguageModel, McpClient, McpProtocol } from "effect/ai"
    import { TestClock } from "effect/testing"
    class Docs extends Backend.Service("docs")() {}
    const server = { command: process.execPath, args: [${JSON.stringify(server)}, "stdio"] }
    const said = await Effect.runPromise(Effect.gen(function*() {
      const docs = yield* Docs
      const { content } = yield* docs.callTool({ name: "echo", arguments: { message: "hi" } })
      return JSON.stringify(content)
    }).pipe(Effect.provide(Docs.layer(server))))
    if (!said.includes("hi")) throw new Error(said)
    const own = { name: "one", version: "1", protocol: McpProtocol.v2025_11_25 }
    const listed = await Effect.runPromise(Effect.provide(
      Effect.flatMap(McpClient.McpClient, (client) => client.listTools()),
      layerClient("own", server, own)
    ))
    if (!listed.some(({ name }) => name === "echo")) throw new Error(JSON.stringify(listed))
    const model = LanguageModel.make({
      generateText: () => Effect.succeed([{ type: "tool-call", id: "1", name: "echo", params: { message: "hi" } }]),
      streamText: () => Stream.empty
    })
    const { toolResults } = await Effect.runPromise(Effect.gen(function*() {
      return yield* LanguageModel.generateText({ prompt: "Say hi.", toolkit: yield* toolkit(yield* Docs) })
    }).pipe(Effect.provideServiceEffect(LanguageModel.LanguageModel, model), Effect.provide(Docs.layer(server))))
    if (!JSON.stringify(toolResults[0].modelOutput).includes("hi")) throw new Error(JSON.stringify(toolResults))
    const failed = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const none = yield* Backend.make("none", { command: "no-such-program" })
      yield* adjust("1 hour")
      return yield* Effect.flip(none.enable)
    })).pipe(Effect.provide(TestClock.layer())))
    if (!(failed instanceof ConnectError) || failed.reason !== "spawn") throw failed`
  await capture(node, ["--input-type=module", "--eval", program], { cwd: directory })
}

/** A connector of the core that a program has for itself, under a facade that has another copy of core and of Effect. */
const crossing = `
    const { connect, ConnectError } = await import("@mcp-lifeline/client")
    const { StdioConnector } = await import("@mcp-lifeline/transport-stdio")
    const { StdioFaultServer } = await import("@mcp-lifeline/testing")
    const client = await connect({ connector: StdioConnector.make(StdioFaultServer.command()) })
    const { content } = await client.callTool({ name: "echo", arguments: { text: "hi" } })
    if (content[0].text !== "hi") throw new Error("callTool")
    await client.close()
    await connect({ connector: StdioConnector.make({ command: "no-such-program" }) }).then(
      () => { throw new Error("connected") },
      (error) => { if (!(error instanceof ConnectError) || error.reason !== "spawn") throw error }
    )
    const { HttpConnector } = await import("@mcp-lifeline/transport-http")
    const { UnauthorizedError } = await import("@modelcontextprotocol/sdk/client/auth.js")
    const { createServer } = await import("node:http")
    const server = createServer((request, response) => {
      const issuer = "http://127.0.0.1:" + server.address().port
      const known = request.url === "/.well-known/oauth-authorization-server"
      response.writeHead(known ? 200 : request.method === "POST" ? 401 : 404, { "content-type": "application/json" })
      response.end(JSON.stringify(known ? {
        issuer, authorization_endpoint: issuer + "/authorize", token_endpoint: issuer + "/token",
        response_types_supported: ["code"], code_challenge_methods_supported: ["S256"]
      } : {}))
    })
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
    const authProvider = {
      redirectUrl: "http://127.0.0.1/callback", clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"] },
      clientInformation: () => ({ client_id: "user" }), tokens: () => undefined, saveTokens: () => {},
      redirectToAuthorization: () => {}, saveCodeVerifier: () => {}, codeVerifier: () => "verifier"
    }
    await connect({ connector: HttpConnector.make({ url: "http://127.0.0.1:" + server.address().port, authProvider }) }).then(
      () => { throw new Error("connected") },
      (error) => { if (!(error instanceof UnauthorizedError)) throw error }
    )
    server.close()`

/** Modules that no main entry has: a bundle that takes nothing of them would have to load what they load. */
const outside = new Set(["@mcp-lifeline/protocol/InputRequests", "@mcp-lifeline/protocol/ResultSchemas"])

/**
 * A module by its own path is the one that the package's main entry has under its name, or whose exports it has; and nothing but
 * the modules named in `exports` can be reached.
 */
const checkPaths = (/** @type {ReadonlyArray<string>} */ entries) =>
  `const entries = ${JSON.stringify(entries.filter((entry) => !outside.has(entry)))}
    for (const entry of entries) {
      const [, main, name] = /^(@[^/]+[/][^/]+)[/]([A-Z].*)$/.exec(entry) ?? []
      if (main === undefined) continue
      const [all, one] = [await import(main), await import(entry)]
      if (all[name] !== one && Object.keys(one).some((key) => all[key] !== one[key])) throw new Error(entry + " is another module")
    }
    for (const hidden of ["internal/Hub", "internal/Hub.js", "dist/internal/Hub.js", "supervisor/Supervisor"]) {
      const error = await import("@mcp-lifeline/core/" + hidden).then(() => undefined, (error) => error)
      if (error?.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(hidden + " can be imported")
    }
    const [Backend, Fleet] = [await import("@mcp-lifeline/core/Backend"), await import("@mcp-lifeline/core/Fleet")]
    if (typeof Backend.make !== "function" || typeof Fleet.layer !== "function") throw new Error("core/Backend, core/Fleet");`

/** Imports every entry point, and requires it where this Node.js can; then lets packages work together. @param {string} directory @param {string} node @param {ReadonlyArray<string>} entries */
export const useAll = async (directory, node, entries) => {
  const imports = entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("")
  // Chunks that only some options load.
  const folder = join(directory, "node_modules/@mcp-lifeline/client/esm")
  const chunks = readdirSync(folder).filter((file) => file.endsWith(".js")).map((file) =>
    `await import("${folder}/${file}");`
  )
  const requires = entries.map((entry) => `require(${JSON.stringify(entry)});`).join("")
  const required = `if (process.features.require_module === true) { ${requires} }`
  await Promise.all([
    capture(node, ["--input-type=module", "--eval", `${imports}${chunks.join("")}${checkPaths(entries)}${crossing}`], {
      cwd: directory
    }),
    capture(node, ["--input-type=commonjs", "--eval", required], { cwd: directory })
  ])
}

/** Whether a project has a package. */
export const has = (/** @type {string} */ directory, /** @type {string} */ name) =>
  existsSync(join(directory, "node_modules", name))
