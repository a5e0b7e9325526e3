/**
 * What programs of the pages find around them: servers at the addresses that the pages name, one of which asks for a login, a
 * collector of telemetry, free ports, and a file with a token. All of it is on this machine, at ports of its own, which are written
 * into a program in place of the page's.
 */
import { ReservedPort } from "@mcp-lifeline/testing"
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { start } from "./run.mjs"
import { blocksOf } from "./snippets.mjs"

/** Listens on a free port. @param {import("node:http").Server} server @returns {Promise<number>} */
const listen = (server) =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(typeof address === "object" ? address?.port ?? 0 : 0)
    })
  })

/** A port on which nothing of ours listens but what is started there, as long as we run. */
const freePort = async () => (await ReservedPort.open()).port

/** An endpoint for OTLP. `received` has the path of each request, `nameless` of those in which a program has not said its name. */
const collect = async () => {
  /** @type {Set<string>} */
  const received = new Set()
  /** @type {Set<string>} */
  const nameless = new Set()
  const server = createServer((request, response) => {
    const path = request.url ?? ""
    received.add(path)
    let body = ""
    request.setEncoding("latin1").on("data", (part) => body += part).once("end", () => {
      if (body.includes("unknown_service")) nameless.add(path)
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  return { received, nameless, server, url: `http://127.0.0.1:${await listen(server)}` }
}

/**
 * @param {string} project that has the packages installed
 * @param {string} bin where `mcp-lifeline` and `npx` are
 */
export const open = async (project, bin) => {
  const home = join(project, "home")
  mkdirSync(home, { recursive: true })
  const env = { ...process.env, HOME: home, PATH: `${bin}:${process.env["PATH"]}` }
  const [port, loginPort, authPort, callbackPort, metricsPort] = await Promise.all(Array.from({ length: 5 }, freePort))
  const official = join(project, "node_modules/@modelcontextprotocol")
  // The example servers would listen on every address of the machine; the gateway has what keeps those of its demo to loopback.
  const onLoopback = ["--import", join(project, "node_modules/mcp-lifeline/esm/loopback.js")]
  const listens = (/** @type {string} */ text) => /listening on port (\d+)/.exec(text)?.[1]
  const page = "docs/tasks/one-process-for-many-agents.md"
  const config = blocksOf(page).find(({ language }) => language === "json")?.code.join("\n") ?? ""
  writeFileSync(join(home, "mcp.json"), config)
  const names = Object.keys(JSON.parse(config).mcpServers)
  const [everything, login, gateway] = await Promise.all([
    start(
      process.execPath,
      [...onLoopback, join(official, "server-everything/dist/index.js"), "streamableHttp"],
      listens,
      { env: { ...env, PORT: String(port) } }
    ),
    start(
      process.execPath,
      [...onLoopback, join(official, "sdk/dist/esm/examples/server/simpleStreamableHttp.js"), "--oauth"],
      (text) => /MCP .+ listening/.test(text) && /OAuth .+ listening/.test(text) || undefined,
      { env: { ...env, MCP_PORT: String(loginPort), MCP_AUTH_PORT: String(authPort) } }
    ),
    start(
      join(bin, "mcp-lifeline"),
      ["serve", "--config", "mcp.json", "--port", "0"],
      (text) =>
        names.every((name) => text.includes(`${name}  Connected`)) ? /Serving (\S+)/.exec(text)?.[1] : undefined,
      { cwd: home, env }
    )
  ])
  const collector = await collect()
  const token = join(home, "token")
  writeFileSync(token, "secret\n")
  const url = `http://127.0.0.1:${port}/mcp`
  const places = [
    ["http://127.0.0.1:3001/mcp", url],
    ["https://docs.example/mcp", url],
    ["http://127.0.0.1:7332", new URL(gateway.found).origin],
    ["http://127.0.0.1:4318", collector.url],
    ["https://login.example/mcp", `http://localhost:${loginPort}/mcp`],
    ["8976", String(callbackPort)],
    ["9464", String(metricsPort)],
    ["/run/secrets/token", token]
  ]
  return {
    home,
    fill: (/** @type {string} */ text) =>
      places.reduce((filled, [page = "", ours = ""]) => filled.replaceAll(page, ours), text),
    variables: { HOME: home, DOCS_URL: url, DOCS_TOKEN: "secret", OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    /** What programs should have sent to the collector, and have not. */
    missing: () => [
      ...["/v1/traces", "/v1/metrics"].filter((path) => !collector.received.has(path))
        .map((path) => `no program has sent anything to the collector's ${path}`),
      ...[...collector.nameless].map((path) => `a program has sent something to ${path} without service.name`)
    ],
    close: async () => {
      collector.server.close()
      collector.server.closeAllConnections()
      await Promise.all([everything, login, gateway].map(({ end }) => end()))
    }
  }
}
