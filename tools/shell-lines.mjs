/**
 * The lines for a shell on the pages, where they can be run: those that ask a server or a gateway, or look at files. Others install, serve
 * until a signal, end processes by name, or need another program; `Pages.test.ts` in packages/gateway reads these.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { capture, each } from "./run.mjs"
import { blocksOf, pages } from "./snippets.mjs"

const runnable = /^(?:\w+=\S+ )?(?:npx -y )?(?:curl|mcp-lifeline (?:--version|adopt --dry-run|auth|check|login))(?= |$)/

/** Each of them once. */
export const all = [
  ...new Set(
    pages.flatMap(blocksOf).filter(({ language, reason }) => language === "sh" && reason === undefined).flatMap((
      { code }
    ) => code.map((line) => line.replace(/ +# .*$/, "")).filter((line) => runnable.test(line)))
  )
]

/**
 * Runs them, a few at a time, for a user without any host. Resolves with what is wrong with them.
 *
 * @param {string} bin where `mcp-lifeline` and `npx` are
 * @param {string} home the user's home, which has an `mcp.json`
 * @param {(text: string) => string} fill
 */
export const runAll = async (bin, home, fill) => {
  const settings = join(home, ".config")
  mkdirSync(settings, { recursive: true })
  writeFileSync(join(settings, ".curlrc"), "fail\n") // an answer 4xx or 5xx is a failure
  const folders = { HOME: home, XDG_CONFIG_HOME: settings, XDG_STATE_HOME: join(home, "state"), CURL_HOME: settings }
  const env = { ...process.env, ...folders, PATH: `${bin}:${process.env["PATH"]}` }
  const hasCurl = await capture("curl", ["--version"]).then(() => true, () => false)
  /** @type {Array<string>} */
  const problems = []
  await each(
    all.filter((line) => hasCurl || !line.startsWith("curl")),
    2,
    (line) =>
      capture("sh", ["-c", fill(line)], { cwd: home, env }).catch((/** @type {Error} */ error) =>
        problems.push(error.message)
      )
  )
  return problems
}
