/** Programs that may download a server before they start it. */

/** Milliseconds from the start of such a program. */
export const installTime = 300_000

/** The words with which it downloads; none where it always may. */
const verbs: Readonly<Record<string, ReadonlyArray<string>>> = {
  npx: [],
  pnpx: [],
  bunx: [],
  uvx: [],
  dnx: [],
  pkgx: [],
  npm: ["exec", "x"],
  pnpm: ["dlx"],
  yarn: ["dlx"],
  bun: ["x"],
  deno: ["run"],
  uv: ["run"],
  pipx: ["run"],
  dotnet: ["exec"],
  go: ["run"],
  cargo: ["run"],
  nix: ["run", "shell", "develop"],
  hatch: ["run"],
  pixi: ["run", "exec"]
}

/** Of these, who waits while the server runs. Others become it. */
export const waiting = /^(?:p?npx|p?npm|yarn|bunx|uvx?|go)$/

const starters =
  /^(?:cmd|sh|bash|dash|zsh|fish|pwsh|powershell|env|sudo|doas|nice|ionice|nohup|setsid|stdbuf|time|timeout|xvfb-run|node|corepack|asdf|direnv|mise|volta|fnm|op|doppler|dotenv|dotenvx|infisical|aws-vault|envchain)$/

export const downloading = (installer: string): string =>
  `${installer} may still be downloading the server. Lifeline lets it finish and then tries again: call again later, or run the command once in a terminal until the server is installed. If it is installed and only slow to start, raise startLimit`

const maxWords = 200

/** `C:\Program Files\nodejs\npx.cmd` and `/usr/lib/node_modules/npm/bin/npx-cli.js` are npx. */
const stemOf = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1).toLowerCase()
    .replace(/\.(?:cmd|exe|bat|ps1)$/, "").replace(/-cli\.[cm]?js$/, "")

export const nameOf = (command: string, args: ReadonlyArray<string>): string | undefined => {
  const program = stemOf(command)
  const needed = Object.hasOwn(verbs, program) ? verbs[program] : undefined
  if (needed !== undefined) {
    return needed.length === 0 || args.slice(0, maxWords).some((word) => needed.includes(word)) ? program : undefined
  }
  if (!starters.test(program)) return undefined
  // A shell has the whole command line in one argument.
  const words = args.slice(0, maxWords).flatMap((arg) => arg.split(/[\s"';&|]+/, maxWords))
  for (const [index, word] of words.entries()) {
    const stem = stemOf(word)
    const name = Object.hasOwn(verbs, stem) ? nameOf(stem, words.slice(index + 1)) : undefined
    if (name !== undefined) return name
  }
  return undefined
}
