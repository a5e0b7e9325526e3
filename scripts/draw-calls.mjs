/**
 * Draws docs/images/calls.svg from a recording that it makes: two official Clients call the same kind of server over and over, one
 * directly and one through `mcp-lifeline wrap`, and both servers are killed twice.
 *
 *     npx --yes pnpm@10.34.8 --filter mcp-lifeline run prepack && node scripts/draw-calls.mjs
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const require = createRequire(new URL("../packages/gateway/package.json", import.meta.url))
/** @type {(module: string) => Promise<any>} */
const load = (module) => import(require.resolve(module))
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js")
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js")

const server = [process.execPath, require.resolve("@modelcontextprotocol/server-everything/dist/index.js"), "stdio"]
const wrap = [process.execPath, fileURLToPath(new URL("../packages/gateway/esm/bin.js", import.meta.url)), "wrap", "--"]
const kills = [2000, 5000]
const length = 8000
const pause = 200

/** The process that `pid` has started. @param {number} pid */
const child = (pid) => Number(execFileSync("ps", ["-o", "pid=", "--ppid", `${pid}`]).toString().trim().split("\n")[0])

/** @typedef {{ readonly from: number, readonly to: number, readonly good: boolean }} Call */

/** Connects, and resolves with a function that makes the recording. @param {ReadonlyArray<string>} command @param {(pid: number) => number} victim */
const prepare = async ([command = "", ...args], victim) => {
  const transport = new StdioClientTransport({ command, args, stderr: "ignore" })
  const client = new Client({ name: "recording", version: "1.0.0" })
  await client.connect(transport)
  await client.listTools()
  const echo = { name: "echo", arguments: { message: "hello" } }
  await client.callTool(echo) // the server has started
  const pid = transport.pid
  return async () => {
    const start = performance.now()
    const now = () => performance.now() - start
    /** @type {Array<Call>} */
    const calls = []
    for (const at of kills) {
      void sleep(at).then(() => process.kill(victim(pid), "SIGKILL")).catch(() => undefined) // already dead
    }
    while (now() < length) {
      const from = now()
      const good = await client.callTool(echo).then(
        () => true,
        () => false
      )
      calls.push({ from, to: now(), good })
      await sleep(pause)
    }
    await client.close()
    return calls
  }
}

const recordings = [await prepare(server, (pid) => pid), await prepare([...wrap, ...server], child)]
const [alone, wrapped] = await Promise.all(recordings.map((record) => record()))

const [left, width, top, height] = [170, 640, 46, 34]
const x = (/** @type {number} */ time) => (left + time / length * width).toFixed(1)
const row = (/** @type {string} */ title, /** @type {ReadonlyArray<Call>} */ calls, /** @type {number} */ y) => [
  `<text x="${left - 14}" y="${y + 22}" text-anchor="end" class="name">${title}</text>`,
  ...calls.map(({ from, good, to }) => {
    const broad = Math.max(4, (to - from) / length * width).toFixed(1)
    return `<rect x="${x(from)}" y="${y}" width="${broad}" height="${height}" rx="2" class="${good ? "good" : "bad"}"/>`
  })
]
const count = (/** @type {ReadonlyArray<Call>} */ calls) =>
  `${calls.filter(({ good }) => good).length} of ${calls.length} calls answered`
const longest = Math.round(Math.max(...(wrapped ?? []).map(({ from, to }) => to - from)))
const description = `Official Client alone: ${count(alone ?? [])}. Through mcp-lifeline wrap: ${count(wrapped ?? [])}.`
const lines = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 224" role="img" aria-label="${description}">`,
  "<style>text{font:14px system-ui,sans-serif;fill:#24292f}.name{font-weight:600}.small{font-size:12px;fill:#57606a;stroke:#fff;stroke-width:4px;paint-order:stroke}",
  ".good{fill:#2da44e}.bad{fill:#cf222e}.kill{stroke:#24292f;stroke-width:1.5;stroke-dasharray:4 3}</style>",
  `<rect width="840" height="224" rx="8" fill="#ffffff"/>`,
  ...kills.flatMap((at) => [
    `<line x1="${x(at)}" x2="${x(at)}" y1="34" y2="182" class="kill"/>`,
    `<text x="${x(at)}" y="26" text-anchor="middle">kill -9</text>`
  ]),
  ...row("official Client", alone ?? [], top),
  `<text x="${left}" y="${top + height + 18}" class="small">${count(alone ?? [])}</text>`,
  ...row("the same, wrapped", wrapped ?? [], top + 76),
  `<text x="${left}" y="${top + 76 + height + 18}" class="small">${count(wrapped ?? [])}, ` +
  `the slowest in ${longest} ms</text>`,
  ...Array.from(
    { length: length / 1000 + 1 },
    (_, second) => `<text x="${x(second * 1000)}" y="208" text-anchor="middle" class="small">${second} s</text>`
  ),
  "</svg>"
]
writeFileSync(fileURLToPath(new URL("../docs/images/calls.svg", import.meta.url)), `${lines.join("\n")}\n`)
console.log(description)
