// The packages as they are published: packs each, and checks what is in the tarball, what it says of itself, and how it resolves (publint and
// "are the types wrong"). Installs nothing: check-installed.mjs uses them.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { entriesOf, pack } from "./packed.mjs"
import { capture, each } from "./run.mjs"

/** @type {Array<string>} */
const problems = []

const published =
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|third-party\.txt|schema\.json|cjs\/package\.json|src\/.+\.m?[jt]s|src\/page\/browser\/\w+\.(html|css|svg)|(dist|esm|cjs)\/.+(\.[cm]?js|\.d\.m?ts)(\.map)?)$/

/** @param {Awaited<ReturnType<typeof pack>>[number]} one */
const inspect = async ({ manifest, tarball }) => {
  const { name } = manifest
  const files = (await capture("tar", ["-tzf", tarball])).trim().split("\n").map((file) => file.replace("package/", ""))
  const strange = files.filter((file) => !published.test(file) || /\.test\./.test(file))
  if (strange.length > 0) problems.push(`${name}: should not be in the tarball: ${strange.join(", ")}`)
  // A program's source maps have its sources in them.
  for (const needed of ["LICENSE", "README.md", ...entriesOf(manifest).length === 0 ? [] : ["src/index.ts"]]) {
    if (!files.includes(needed)) problems.push(`${name}: the tarball has no ${needed}`)
  }
  for (const field of ["description", "keywords", "homepage", "bugs", "repository", "license"]) {
    if (!(field in manifest)) problems.push(`${name}: package.json has no ${field}`)
  }
  if (/"(catalog|workspace):/.test(JSON.stringify(manifest))) {
    problems.push(`${name}: catalog: or workspace: in the packed package.json`)
  }
  const { effect } = manifest.peerDependencies ?? {}
  const major = name === "@mcp-lifeline/effect4" ? 4 : 3
  if (effect !== undefined && !new RegExp(String.raw`^\^${major}\.\d+\.\d+$`).test(effect)) {
    problems.push(`${name}: peer effect@${effect} is not Effect ${major}`)
  }
  const profile = JSON.stringify(manifest.exports).includes('"require"') ? "node16" : "esm-only"
  const tools = [
    { tool: "publint", args: ["run", tarball, "--strict"] },
    // Packages that are ES modules alone import it.
    {
      tool: "attw",
      args: [tarball, "--profile", profile, "--exclude-entrypoints", "within", "--no-emoji", "--no-color"]
    }
  ]
  for (const { args, tool } of tools) {
    // A program has no types to resolve.
    if (tool === "attw" && entriesOf(manifest).length === 0) continue
    await capture(tool, args).catch((/** @type {Error} */ error) => problems.push(`${name}: ${error.message}`))
  }
}

const work = mkdtempSync(join(tmpdir(), "lifeline-packages-"))
try {
  const packed = await pack(work)
  // Each takes seconds of one core.
  await each(packed, 2, inspect)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  console.log(`${packed.length} packages packed and checked; ${problems.length} problems`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
