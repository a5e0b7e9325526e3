/**
 * Installs the clients that the recovery benchmark compares with, into `build/rivals`: none of them is a dependency of the workspace. What
 * is there of the same `package-lock.json` stays.
 *
 *     node tools/benchmarks/recovery/rivals/install.mjs
 *
 * No script of a package is run, and no optional package installed: those that a client uses are named in `package.json`. Of `mcp-use`,
 * its command line, inspector and views are left out (`overrides`; an empty package stands for each): its client loads none of them,
 * and they are 500 MB.
 */
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { output } from "../../../run.mjs"

const from = fileURLToPath(new URL(".", import.meta.url))
const files = ["package.json", "package-lock.json", ".npmrc", "load.mjs"]

/** Where they are installed. */
export const directory = fileURLToPath(new URL("../../../../build/rivals", import.meta.url))

/** Changes with what has to be installed. */
const wanted = () =>
  files.reduce((hash, file) => hash.update(readFileSync(join(from, file))), createHash("sha256")).digest("hex")

const isInstalled = () => {
  const stamp = join(directory, ".installed")
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted()
}

/** Resolves when they are installed. @param {(line: string) => void} say */
export const install = async (say) => {
  if (isInstalled()) return
  say("Installing the published clients into build/rivals (340 MB, once; a minute or more) ...")
  const since = performance.now()
  // Beside it, and moved there when all is done: half a folder would be taken for a whole one.
  const half = `${directory}-${process.pid}`
  try {
    mkdirSync(half, { recursive: true })
    for (const file of files) copyFileSync(join(from, file), join(half, file))
    const { both, code } = await output(
      "npm",
      ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--prefer-offline", "--loglevel=error"],
      { cwd: half }
    )
    if (code !== 0) {
      throw new Error(
        `The published clients could not be installed: npm ci ended with ${code}. It needs a registry of npm; once they are installed, they stay in build/rivals.\n${
          both.split("\n").slice(0, 4).join("\n")
        }`
      )
    }
    writeFileSync(join(half, ".installed"), wanted())
    rmSync(directory, { recursive: true, force: true })
    renameSync(half, directory)
  } finally {
    rmSync(half, { recursive: true, force: true })
  }
  say(`Installed in ${Math.round((performance.now() - since) / 1000)} s.`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await install((line) => console.log(line))
    console.log(`The published clients are in ${directory}`)
  } catch (error) {
    console.error(/** @type {Error} */ (error).message)
    process.exitCode = 1
  }
}
