/** What differs between the checkouts of v1 and of v2. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { withClient } from "./files.mjs"

/**
 * `ways` are modules of this folder, `manifest` has the version, with `tag` before it, `files` are those that run as they are, if not all, and `withClient` says in
 * which of them the Client connects.
 *
 * @typedef {object} Version
 * @property {import("./results.mjs").Version} name
 * @property {string} config
 * @property {ReadonlyArray<string>} ways
 * @property {string} manifest
 * @property {string} tag
 * @property {(folder: string) => ReadonlyArray<string>} files
 * @property {(folder: string, files: ReadonlyArray<string>) => ReadonlyArray<string>} withClient
 */

/** @type {Version} */
const v1 = {
  name: "v1",
  config: "vitest.config.mjs",
  ways: ["supervised", "connect"],
  manifest: "package.json",
  tag: "",
  files: () => [],
  withClient
}

/** Those of v2's workspace in whose tests its Client connects. */
export const folders = ["packages/client", "test/e2e", "test/integration"]

/** @param {string} folder of the checkout @param {string} below @returns {ReadonlyArray<string>} */
const filesBelow = (folder, below) =>
  readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = `${below}/${entry.name}`
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesBelow(folder, name)
    return name.endsWith(".test.ts") && readFileSync(join(folder, name), "utf8").includes("new Client(") ? [name] : []
  })

/** Tests of other runtimes, which the SDK leaves out of vitest too. */
const elsewhere = /\/(?:bun|deno)\.test\.ts$/

/** What `connect` returns is a Client of v1. @type {Version} */
const v2 = {
  name: "v2",
  config: "vitest2.config.mjs",
  ways: ["supervised"],
  manifest: "packages/client/package.json",
  tag: "@modelcontextprotocol/client@",
  files: (folder) => folders.flatMap((below) => filesBelow(folder, below)).filter((file) => !elsewhere.test(file)),
  withClient: (_, files) => files
}

/** @param {string} folder of the checkout */
export const versionOf = (folder) => existsSync(join(folder, v2.manifest)) ? v2 : v1
