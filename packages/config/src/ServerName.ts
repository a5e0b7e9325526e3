/**
 * Names a server by what its command line runs, which is seldom the command itself. Pure.
 */

/** Runs another program, which its arguments name. */
interface Launcher {
  /** Words before that name: `run`, `dlx`. */
  readonly verbs?: ReadonlyArray<string>
  readonly takesValue: (option: string) => boolean
  readonly nameOf: (argument: string) => string
}

const words = (text: string): ReadonlyArray<string> => text.split(" ")
const oneOf = (...options: ReadonlyArray<string>) => (option: string): boolean => options.includes(option)

const lastOf = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== "") ?? ""

/** Do not identify a server. */
const nameless = /^(index|main|__main__|cli|dist|build|src|bin|lib|out|\.+)$/

/** `./weather/build/index.js` is weather. */
const script = (path: string): string => {
  const parts = path.split(/[\\/]/).filter((part) => part !== "")
  const stems = parts.map((part, index) => index === parts.length - 1 ? part.replace(/\.\w+$/, "") : part)
  return stems.findLast((stem) => !nameless.test(stem)) ?? stems.at(-1) ?? ""
}

/** `@scope/name@1.2`, `name[extra]==1.2`, `git+https://host/owner/name.git@tag`. */
const packaged = (text: string): string => {
  if (/^\.{0,2}[\\/]|\.[cm]?[jt]s$|\.py$/.test(text)) return script(text)
  const plain = text.replace(/^(npm|jsr):/, "").replace(/[?#].*$/s, "")
  return lastOf(plain.replace(/(?<=[^/@])@[^/@]*$/, "")).replace(/\.git$/, "").replace(/[[=<>~!].*$/s, "")
}

/** `registry/owner/name:tag@digest`. */
const image = (text: string): string => lastOf(text.replace(/@.*$/s, "")).replace(/:.*$/s, "")

const npm: Launcher = {
  verbs: ["exec", "x", "dlx", "--"],
  takesValue: oneOf(...words("-p --package -w --workspace -C --dir --prefix --registry --cache --userconfig")),
  nameOf: packaged
}

const uv: Launcher = {
  verbs: ["tool", "run", "--"],
  takesValue: oneOf(...words(
    "--from --with --with-editable --with-requirements -p --python --directory --project --index --default-index -i "
      + "--index-url --extra-index-url --env-file --cache-dir --config-file --extra --group -P --upgrade-package"
  )),
  nameOf: packaged
}

const javaScript: Launcher = {
  verbs: ["run", "x", "--"],
  takesValue: oneOf(...words(
    "-r --require --import --loader --experimental-loader -C --conditions --cwd --config -c --preload --env-file"
  )),
  nameOf: packaged
}

const interpreter: Launcher = { takesValue: oneOf("-W", "-X", "-I", "-cp", "-classpath"), nameOf: script }

/** Nearly all options of `docker run` take a value. */
const container: Launcher = {
  verbs: ["container", "run", "exec"],
  takesValue: (option) =>
    !/^-[itdqP]+$|^--(rm|init|interactive|tty|detach|quiet|privileged|read-only|publish-all|no-healthcheck)$/.test(
      option
    ),
  nameOf: image
}

const launchers: ReadonlyArray<readonly [RegExp, Launcher]> = [
  [/^(npx|pnpx|bunx|npm|pnpm|yarn)$/, npm],
  [/^(uvx?|pipx)$/, uv],
  [/^(node|nodejs|bun|deno|tsx|ts-node)$/, javaScript],
  [/^(python[\d.]*|py|ruby|perl|php|java|dotnet|sh|bash|zsh)$/, interpreter],
  [/^(docker|podman|nerdctl)$/, container]
]

/** Followed by program text, which has no name. */
const inline = /^(-e|--eval|-p|--print|-pe|-c|--call|eval)$/

const argumentOf = (launcher: Launcher, args: ReadonlyArray<string>): string | undefined => {
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? ""
    if (launcher === interpreter && argument === "-m") return args[index + 1]
    if (launcher === interpreter && argument === "-jar") return script(args[index + 1] ?? "")
    if (launcher.verbs?.includes(argument)) continue
    if (!argument.startsWith("-")) return launcher.nameOf(argument)
    if (launcher.takesValue(argument) && !argument.includes("=")) index++
    else if (inline.test(argument)) return undefined
  }
  return undefined
}

const asName = (text: string): string => text.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|(?<!-)-+$/g, "") || "server"

/** Limits of a command line: arguments, and characters of each. */
const looked = { arguments: 100, characters: 1000 }

const beginning = (text: string): string => text.slice(0, looked.characters)

export const ofCommand = (command: string, args: ReadonlyArray<string>): string =>
  asName(runBy(beginning(command), args.slice(0, looked.arguments).map(beginning)))

/** Its host. The address may be invalid. */
export const ofUrl = (url: string): string =>
  asName(/^https?:\/\/(?:[^@/?#]*@)?([^/?#]+)/i.exec(beginning(url))?.[1] ?? "")

/** What the arguments name; otherwise the command itself. */
const runBy = (command: string, args: ReadonlyArray<string>): string => {
  const program = lastOf(command).replace(/\.(exe|cmd|bat|ps1)$/i, "")
  if (/^cmd$/i.test(program)) {
    const last = args.findIndex((argument) => !/^\/[abd-z](:\w{1,10})?$/i.test(argument))
    const [ends = "", started = "", ...rest] = args.slice(last)
    if (last !== -1 && /^\/c$/i.test(ends) && started !== "") return runBy(started, rest)
  }
  const [first = ""] = args
  if (program === "env" && first !== "" && !first.startsWith("-")) {
    return first.includes("=") ? runBy(command, args.slice(1)) : runBy(first, args.slice(1))
  }
  const launcher = launchers.find(([name]) => name.test(program.toLowerCase()))?.[1]
  const named = launcher && argumentOf(launcher, args)
  return named || script(program)
}
