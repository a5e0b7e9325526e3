/**
 * A commit of this repository in a folder of its own, built, so that its benchmarks can be run beside ours.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { capture, pnpm } from "../run.mjs"

/** @param {string} root @param {ReadonlyArray<string>} args */
export const git = async (root, ...args) => (await capture("git", args, { cwd: root })).trim()

/** Where a commit has its benchmarks: until November 2026 they were at the root. @param {string} root */
export const benchmarks = (root) => [join(root, "tools/benchmarks"), join(root, "benchmarks")].find(existsSync) ?? root

/** Builds what the benchmarks start: the packages, and the bundles of the facade and the gateway. @param {string} root */
export const build = async (root) => {
  await pnpm(["build"], { cwd: root })
  await pnpm(["--filter", "mcp-lifeline", "--filter", "@mcp-lifeline/client", "run", "prepack"], {
    cwd: root
  })
}

/**
 * The folder is removed with the program.
 *
 * @param {string} root
 * @param {string} commit
 * @returns {Promise<string>}
 */
export const checkout = async (root, commit) => {
  const folder = join(mkdtempSync(join(tmpdir(), "lifeline-bench-")), "against")
  process.once("exit", () => rmSync(join(folder, ".."), { recursive: true, force: true }))
  await git(root, "clone", "--quiet", "--shared", "--no-checkout", root, folder)
  await git(folder, "checkout", "--quiet", "--detach", commit)
  await pnpm(["install", "--frozen-lockfile", "--prefer-offline"], { cwd: folder })
  await build(folder)
  return folder
}
