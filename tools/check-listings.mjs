// Checks the files by which others list Lifeline, as far as their rules can be checked here: https://github.com/modelcontextprotocol/registry has
// those of the MCP registry.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { json, plugin, registry, root, schemaStore } from "./listings.mjs"
import { blocksOf, pages } from "./snippets.mjs"

/** @type {Array<string>} */
const problems = []
/** @param {boolean} ok @param {string} problem */
const expect = (ok, problem) => ok ? undefined : problems.push(problem)

const gateway = json("packages/gateway/package.json")
const server = json(registry)
for (const [field, most] of Object.entries({ name: 200, title: 100, description: 100, version: 255 })) {
  const { length } = server[field]
  expect(length > 0 && length <= most, `${registry}: ${field} has ${length} characters, and may have ${most}`)
}
expect(/^[\w.-]+\/[\w.-]+$/.test(server.name), `${registry}: the name is not of the form namespace/name`)
expect(server.name === gateway.mcpName, `${registry}: the name is not the mcpName of package.json`)
expect(server.version === gateway.version, `${registry}: the version is not that of package.json`)
expect(
  gateway.repository.url === `git+${server.repository.url}.git`,
  `${registry}: another repository than package.json`
)
expect(gateway.repository.directory === server.repository.subfolder, `${registry}: another folder than package.json`)
for (const { identifier, registryType, version } of server.packages) {
  expect(registryType === "npm" && identifier === gateway.name, `${registry}: ${identifier} is not our package`)
  expect(version === gateway.version, `${registry}: the version of the package is not that of package.json`)
}

const { fileMatch, url } = json(schemaStore)
expect(url === json("packages/gateway/schema.json").$id, `${schemaStore}: the url is not the $id of the schema`)
// Other hosts have a file of the name mcp.json, which has other keys.
expect(
  fileMatch.every((/** @type {string} */ name) => name.includes("lifeline")),
  `${schemaStore}: fileMatch has names that are not ours alone`
)

const { name, version } = json(plugin)
const marketplace = ".claude-plugin/marketplace.json"
const [entry, ...others] = json(marketplace).plugins
expect(others.length === 0 && entry.name === name, `${marketplace}: does not list the plugin ${name} alone`)
expect(plugin.startsWith(`${entry.source.slice(2)}/`), `${marketplace}: the source is not the folder of ${plugin}`)
expect(version === gateway.version, `${plugin}: the version is not that of the gateway's package.json`)
for (const skill of readdirSync(`${root}${entry.source}/skills`)) {
  const file = `${entry.source.slice(2)}/skills/${skill}/SKILL.md`
  const text = existsSync(`${root}${file}`) ? readFileSync(`${root}${file}`, "utf8") : ""
  expect(
    text.startsWith(`---\nname: ${skill}\ndescription: `),
    `${file}: is not there, or has not the name of its folder`
  )
}

/** What a link of a page lets a host write: the name of an entry, and the entry. @param {string} link */
const installs = (link) => {
  const { protocol, search, searchParams } = new URL(link)
  if (protocol !== "cursor:") return JSON.parse(decodeURIComponent(search.slice(1)))
  return { name: searchParams.get("name"), ...JSON.parse(atob(searchParams.get("config") ?? "")) }
}
let links = 0
for (const path of pages) {
  const entries = blocksOf(path).filter(({ language }) => language === "json").flatMap(({ code }) => {
    const { mcpServers, servers } = JSON.parse(code.join("\n"))
    return Object.entries(mcpServers ?? servers ?? {}).map(([name, value]) => ({ name, ...value }))
  })
  for (const [link] of readFileSync(`${root}${path}`, "utf8").matchAll(/\b(?:cursor|vscode):\S*mcp\/install\?\S+/g)) {
    links += 1
    expect(
      entries.some((one) => isDeepStrictEqual(one, installs(link))),
      `${path}: no entry on the page is that of ${link}`
    )
  }
}
expect(links === 2, `${links} links that install Lifeline in a host; there are 2, of Cursor and VS Code`)

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
else console.log("The listings agree with the packages")
