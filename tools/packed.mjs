/**
 * The packages that are published, and their tarballs.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture, pnpm } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Readonly<Record<string, string>>} [bin]
 * @property {Readonly<Record<string, string>>} [peerDependencies]
 * @property {Readonly<Record<string, object>>} [peerDependenciesMeta]
 * @property {Readonly<Record<string, string | object>>} exports
 */

/** @returns {Manifest} */
export const parse = (/** @type {string} */ text) => JSON.parse(text)

/** Their manifests in the repository. */
export const publishable = readdirSync(`${root}packages`)
  .map((directory) => ({ directory, ...parse(readFileSync(`${root}packages/${directory}/package.json`, "utf8")) }))
  .filter((one) => one.private !== true)

/**
 * Packs them, or some of them, into a folder. Resolves with each tarball and its own package.json.
 *
 * @param {string} work
 * @param {ReadonlyArray<string>} [names]
 */
export const pack = async (work, names = publishable.map(({ name }) => name)) => {
  const filters = names.map((name) => `--filter=${name}`)
  await pnpm(["--recursive", ...filters, "pack", "--pack-destination", work], { cwd: root })
  const packed = publishable.filter(({ name }) => names.includes(name))
  return Promise.all(packed.map(async ({ name, version }) => {
    const tarball = join(work, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`)
    return { tarball, manifest: parse(await capture("tar", ["-xzOf", tarball, "package/package.json"])) }
  }))
}

/** What programs import of a package. @param {Manifest} manifest */
export const entriesOf = ({ exports, name }) =>
  Object.entries(exports).filter(([, target]) => typeof target !== "string").map(([entry]) =>
    `${name}${entry.slice(1)}`
  )
