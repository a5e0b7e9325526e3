/**
 * `mcp-lifeline wrap URL` against one scenario of the suite, as a host starts it: the official Client speaks to it over stdio, and the
 * browser that it opens goes to the address of a login at once, since the suite's authorization server agrees to everything.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as scenario from "./scenario.mjs"

const folder = mkdtempSync(join(tmpdir(), "lifeline-conformance-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

const gateway = dirname(createRequire(import.meta.url).resolve("mcp-lifeline/package.json"))
const browser = fileURLToPath(new URL("../../packages/sign-in/test/fixtures/browser.mjs", import.meta.url))

const { client_id: id, client_secret: secret, private_key_pem: key, signing_algorithm: algorithm } = scenario.context

/** The authorization server at which the client was registered: the suite has only one for a client that is. */
const issuer = async () => {
  const { origin, pathname } = new URL(scenario.url)
  const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const { authorization_servers: [only] } =
    /** @type {{ authorization_servers: Array<string> }} */ (await answer.json())
  return only ?? ""
}

/** What a user would have written in the configuration of the host. */
const options = async () => {
  const client = [
    ...(id === undefined ? [] : ["--client-id", id]),
    ...(secret === undefined ? [] : ["--client-secret", "${CONFORMANCE_SECRET}"]),
    ...(id === undefined || (secret === undefined && key === undefined) ? [] : ["--client-issuer", await issuer()])
  ]
  switch (scenario.name) {
    case "auth/client-credentials-jwt": {
      const file = join(folder, "key.pem")
      writeFileSync(file, key ?? "", { mode: 0o600 })
      return ["--client-credentials", "--client-key-file", file, "--client-key-algorithm", algorithm ?? "", ...client]
    }
    // On a busy machine the second login takes longer than a call waits by default. Others wait in vain, for what they do not need.
    case "auth/scope-step-up":
      return ["--option", "timeouts.wait=30s", ...client]
    case "auth/client-credentials-basic":
      return ["--client-credentials", ...client]
    // The suite knows this address and does not fetch it; in other scenarios the client registers itself.
    case "auth/basic-cimd":
      return ["--client-metadata-url", "https://conformance-test.local/client-metadata.json"]
    default:
      return client
  }
}

/** How long a login may take, in milliseconds. Where the server has no tools, all of it passes. */
const patience = 15_000

/** Waits for what a callback is called with. @template A @returns {{ promise: Promise<A>, resolve: (value: A) => void }} */
const deferred = () => {
  /** @type {(value: any) => void} */
  let resolve = () => undefined
  return { promise: new Promise((done) => (resolve = done)), resolve }
}

scenario.main(async () => {
  const given = await options()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      join(gateway, "esm/bin.js"),
      "wrap",
      "--browser",
      ...given,
      String(scenario.url)
    ],
    env: {
      .../** @type {Record<string, string>} */ (process.env),
      // With it no browser is opened.
      CI: "",
      BROWSER: `${process.execPath} ${browser} ${join(folder, "opened")}`,
      CONFORMANCE_SECRET: secret ?? "",
      MCP_LIFELINE_STATE: join(folder, "state")
    },
    stderr: "pipe"
  })
  /** @type {ReturnType<typeof deferred<string>>} */
  const refused = deferred()
  transport.stderr?.on("data", (/** @type {Buffer} */ chunk) => {
    process.stderr.write(chunk)
    // Whatever it says of its sign-in, other than the address of a login.
    const line = chunk.toString().split("\n").find((line) => /^localhost-\d+: /.test(line) && !/: open http/.test(line))
    if (line !== undefined) refused.resolve(line)
  })
  const host = new Client(scenario.clientInfo, { capabilities: scenario.capabilities })
  host.setRequestHandler(ElicitRequestSchema, scenario.elicit)
  /** @type {ReturnType<typeof deferred<void>>} */
  const changed = deferred()
  host.setNotificationHandler(ToolListChangedNotificationSchema, () => changed.resolve())
  const playing = async () => {
    await host.connect(transport)
    await scenario.play({
      // While a login is under way the list is empty. The host is told when it is not; where it never is, it ends after a while.
      tools: async () => {
        const { tools } = await host.listTools()
        if (tools.length > 0 || !scenario.name.startsWith("auth/")) return tools
        await Promise.race([changed.promise, setTimeout(patience)])
        return (await host.listTools()).tools
      },
      call: (params) => host.callTool(params)
    })
  }
  try {
    await Promise.race([
      playing(),
      refused.promise.then((line) => {
        throw new Error(`no sign-in: ${line}`)
      })
    ])
  } finally {
    await host.close()
  }
})
