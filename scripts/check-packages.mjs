// The packages as a user gets them: packs each, checks what is in the tarball and how it resolves (publint and "are the
// types wrong"), installs all tarballs in an empty project, type-checks that project as Node.js and as bundlers resolve
// it, from ES modules and from CommonJS, and uses each package with node: imported, and required where Node.js can.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/**
 * A trivial use of each package; the name `it` is the package's namespace. Throws when the package does not work.
 *
 * @type {Readonly<Record<string, string>>}
 */
const uses = {
  "@mcp-lifeline/core": `if (it.isRead("tools/list") !== true) throw new Error("isRead")`,
  "@mcp-lifeline/client": `const { StdioFaultServer } = await import("@mcp-lifeline/testing")
    const client = await it.connect(StdioFaultServer.command())
    const { content } = await client.callTool({ name: "echo", arguments: { text: "hi" } })
    await client.close()
    if (content[0].text !== "hi") throw new Error("callTool")`,
  "@mcp-lifeline/protocol": `if (typeof it.MemoryConnector.make !== "function") throw new Error("MemoryConnector")`,
  "@mcp-lifeline/testing": `const { args, command } = it.StdioFaultServer.command()
    const { spawnSync } = await import("node:child_process")
    const { stdout } = spawnSync(command, args, { input: '{"jsonrpc":"2.0","id":1,"method":"ping"}\\n', encoding: "utf8" })
    if (!stdout.includes('"result":{}')) throw new Error("StdioFaultServer")`
}

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Readonly<Record<string, string>>} [bin]
 * @property {Readonly<Record<string, object>>} [peerDependenciesMeta]
 * @property {Readonly<Record<string, string | object>>} exports
 */

/** @returns {Manifest} */
const parse = (/** @type {string} */ text) => JSON.parse(text)

/** @type {Array<string>} */
const problems = []

const publishable = readdirSync(`${root}packages`)
  .map((directory) => ({ directory, ...parse(readFileSync(`${root}packages/${directory}/package.json`, "utf8")) }))
  .filter((one) => one.private !== true)

/** @param {string} work */
const pack = async (work) => {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))
  // pnpm tells its scripts how to run it again; without it (a plain `node scripts/..`), npx gets the pinned version.
  const pnpm = process.env["npm_execpath"]
  const [command, ...prefix] = pnpm !== undefined && /pnpm[^/]*$/.test(pnpm)
    ? [process.execPath, pnpm]
    : ["npx", "--yes", packageManager]
  const filters = publishable.map(({ name }) => `--filter=${name}`)
  await capture(command, [...prefix, "--recursive", ...filters, "pack", "--pack-destination", work], { cwd: root })
  return publishable.map((one) => ({
    ...one,
    tarball: join(work, `${one.name.replace("@", "").replace("/", "-")}-${one.version}.tgz`)
  }))
}

/** @param {{ readonly name: string, readonly tarball: string }} one */
const inspect = async ({ name, tarball }) => {
  const files = (await capture("tar", ["-tzf", tarball])).trim().split("\n").map((file) => file.replace("package/", ""))
  const strange = files.filter((file) =>
    !/^(package\.json|README\.md|CHANGELOG\.md|LICENSE|src\/.+\.[jt]s|dist\/.+(\.js|\.d\.ts)(\.map)?)$/.test(file) ||
    /\.test\./.test(file)
  )
  if (strange.length > 0) problems.push(`${name}: should not be in the tarball: ${strange.join(", ")}`)
  const stale = files.filter((file) =>
    /^dist\/.+\.js$/.test(file) && !files.includes(file.replace(/^dist(.+)\.js$/, "src$1.ts")) &&
    !files.includes(file.replace("dist/", "src/"))
  )
  if (stale.length > 0) {
    problems.push(`${name}: left over from an earlier build, run \`pnpm clean\`: ${stale.join(", ")}`)
  }
  for (const needed of ["LICENSE", "dist/index.js", "dist/index.d.ts", "src/index.ts"]) {
    if (!files.includes(needed)) problems.push(`${name}: the tarball has no ${needed}`)
  }
  const text = await capture("tar", ["-xzOf", tarball, "package/package.json"])
  if (/"(catalog|workspace):/.test(text)) problems.push(`${name}: catalog: or workspace: in the packed package.json`)
  for (const bin of Object.values(parse(text).bin ?? {})) {
    if (!files.includes(bin.replace("./", ""))) problems.push(`${name}: the tarball has no ${bin}`)
  }
  for (
    const [tool, args] of /** @type {const} */ ([
      ["publint", ["run", tarball, "--strict"]],
      ["attw", [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]]
    ])
  ) {
    await capture(tool, args).catch((/** @type {Error} */ error) => problems.push(`${name}: ${error.message}`))
  }
  return { name, manifest: parse(text) }
}

/** Peers that only some entry points need, which who imports those installs; in the versions that the tests have. */
const optionalPeers = () =>
  Object.fromEntries(
    readdirSync(`${root}packages`).flatMap((directory) => {
      const from = `${root}packages/${directory}`
      const { peerDependenciesMeta = {} } = parse(readFileSync(`${from}/package.json`, "utf8"))
      return Object.keys(peerDependenciesMeta).map((peer) => [
        peer,
        parse(readFileSync(`${from}/node_modules/${peer}/package.json`, "utf8")).version
      ])
    })
  )

/**
 * @param {string} work
 * @param {ReadonlyArray<{ readonly name: string, readonly tarball: string }>} packed
 */
const install = async (work, packed) => {
  const nodeTypes = parse(readFileSync(`${root}node_modules/@types/node/package.json`, "utf8"))
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]))
  writeFileSync(
    join(work, "package.json"),
    JSON.stringify({
      name: "user",
      private: true,
      type: "module",
      dependencies,
      devDependencies: { "@types/node": nodeTypes.version, ...optionalPeers() }
    })
  )
  await capture("npm", [
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--no-package-lock",
    "--loglevel=error"
  ], { cwd: work })
}

/** What somebody writes who uses the packages: checked by the compiler, never run. */
const consumer = `
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

/**
 * @param {string} work
 * @param {"NodeNext" | "Bundler"} resolution
 * @param {ReadonlyArray<string>} files
 */
const typeCheck = async (work, resolution, files) => {
  const config = join(work, `tsconfig.${resolution}.json`)
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
      files
    })
  )
  await capture("tsc", ["-p", config, "--pretty", "false"], { cwd: work }).catch((/** @type {Error} */ error) => {
    // Declarations of other people's packages are not ours to judge.
    const ours = error.message.split("\n").filter((line) =>
      /^(types\.c?ts|node_modules\/(@mcp-lifeline|mcp-lifeline)\/)/.test(line)
    )
    if (ours.length > 0) problems.push(`the installed declarations (${resolution}):\n${ours.join("\n")}`)
  })
}

/**
 * @param {string} work
 * @param {ReadonlyArray<{ readonly name: string, readonly manifest: Manifest }>} inspected
 */
const use = async (work, inspected) => {
  const entries = inspected.flatMap(({ manifest, name }) =>
    Object.entries(manifest.exports)
      .filter(([, target]) => typeof target !== "string")
      .map(([entry]) => ({ name, specifier: `${name}${entry.slice(1)}` }))
  )
  const exported = entries.map(({ specifier }, index) => `export * as p${index} from "${specifier}"\n`).join("")
  const required = entries.map(({ specifier }, index) => `export import p${index} = require("${specifier}")\n`).join("")
  writeFileSync(join(work, "types.ts"), exported + consumer)
  writeFileSync(join(work, "types.cts"), required)
  await Promise.all([
    typeCheck(work, "NodeNext", ["types.ts", "types.cts"]),
    typeCheck(work, "Bundler", ["types.ts"])
  ])
  for (const { name, specifier } of entries) {
    const program = `const it = await import("${specifier}"); ${specifier === name ? uses[name] ?? "" : ""}`
    await capture(process.execPath, ["--input-type=module", "--eval", program], { cwd: work }).catch(
      (/** @type {Error} */ error) => problems.push(`${specifier} does not work: ${error.message}`)
    )
  }
  // Node.js 20.19 and 22.12 and later.
  if ("require_module" in process.features && process.features.require_module === true) {
    const program = entries.map(({ specifier }) => `require(${JSON.stringify(specifier)})`).join(";")
    await capture(process.execPath, ["--input-type=commonjs", "--eval", program], { cwd: work }).catch(
      (/** @type {Error} */ error) => problems.push(`required from CommonJS: ${error.message}`)
    )
  }
  for (const { manifest } of inspected) {
    for (const bin of Object.keys(manifest.bin ?? {})) {
      await capture(join(work, "node_modules/.bin", bin), ["--version"], { cwd: work }).catch(
        (/** @type {Error} */ error) => problems.push(`${bin} does not run: ${error.message}`)
      )
    }
  }
}

const work = mkdtempSync(join(tmpdir(), "lifeline-packages-"))
try {
  const packed = await pack(work)
  const installing = install(work, packed)
  installing.catch(() => undefined) // reported below, when it is awaited
  const inspected = []
  for (const one of packed) inspected.push(await inspect(one))
  await installing
  await use(work, inspected)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  console.log(`${packed.length} packages packed, checked, installed and imported; ${problems.length} problems`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
