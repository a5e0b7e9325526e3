// Makes the next versions of the packages, with changesets, and writes them to the listings, which changesets does not know. release.yml runs it.
import { writeFileSync } from "node:fs"
import { json, plugin, registry, root } from "./listings.mjs"
import { run } from "./run.mjs"

const code = await run("changeset", ["version"], { cwd: root })
if (code !== 0) process.exit(code)
const { version } = json("packages/gateway/package.json")
/** @param {string} path @param {object} value */
const write = (path, value) => writeFileSync(`${root}${path}`, `${JSON.stringify(value, undefined, 2)}\n`)

const server = json(registry)
write(registry, {
  ...server,
  version,
  packages: server.packages.map((/** @type {object} */ one) => ({ ...one, version }))
})
write(plugin, { ...json(plugin), version })
