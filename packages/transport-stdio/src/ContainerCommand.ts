/**
 * Commands that run a server in a container (S11): `docker run` and the like. What they start is a child of the container engine and not of
 * the command, so it may live on when the command has ended.
 *
 * Each run gets a label of ours, by which its container is found, also before its first output and if the command was killed. A label and not
 * `--name`: the user may have given a name, and a container with this name may be that of somebody else. And not `--cidfile`: the id is in
 * the file only after the container was made, and two commands cannot share one.
 */

export interface ContainerCommand {
  /** The program that lists, stops and removes containers, with its options: `docker`, `--context`, `desktop`. */
  readonly engine: readonly [program: string, ...options: ReadonlyArray<string>]
  /** Its arguments up to and including `run`. */
  readonly before: ReadonlyArray<string>
  /** The arguments after that: options, the image, and what is for the server. */
  readonly after: ReadonlyArray<string>
  readonly interactive: boolean
  /** Whether the user wants the volumes without a name to be removed with the container. */
  readonly rm: boolean
}

/** The label of all containers that Lifeline has started; its value is different for each. */
export const label = "mcp-lifeline.run"

export const notInteractive =
  "the command runs a container without -i (--interactive), so the server in it cannot read any message: add -i after run"

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Options before `run` that take the next argument as their value, of all programs. */
const valued = words(`
  --config --context -c --host -H --log-level -l --tlscacert --tlscert --tlskey
  --cgroup-manager --conmon --connection --events-backend --hooks-dir --identity --imagestore --module --network-cmd-path
  --network-config-dir --out --root --runroot --runtime --runtime-flag --ssh --storage-driver --storage-opt --tmpdir --url --volumepath
  --address -a --cni-netconfpath --cni-path --data-root --host-gateway-ip --hosts-dir --namespace -n --snapshotter --bridge-ip
  --userns-remap
`)

/** The same for `compose`. */
const composeValued = words(`
  --file -f --project-name -p --profile --project-directory --env-file --ansi --progress --parallel --workdir --podman-path
  --podman-args --podman-run-args
`)

/** Options of `run` that take no value; all others do. */
const flags = words(`
  --interactive --tty --detach --publish-all --rm --init --privileged --read-only --sig-proxy --no-healthcheck --oom-kill-disable
  --disable-content-trust --quiet --help --use-api-socket --replace --env-host --http-proxy --no-hosts --no-hostname --rmi --rootfs
  --tls-verify --unsetenv-all --read-only-tmpfs --passwd --build --no-deps --service-ports --no-TTY --no-tty --use-aliases
  --remove-orphans --quiet-pull --quiet-build
`)
const shortFlags = "itdPqTh"

/** Where a subcommand is; undefined if there is none. */
const subcommand = (args: ReadonlyArray<string>, from: number, values: ReadonlySet<string>): number | undefined => {
  for (let index = from; index < args.length; index++) {
    const arg = args[index] ?? ""
    if (!arg.startsWith("-")) return index
    if (values.has(arg)) index++
  }
  return undefined
}

/** Looks at the options of `run`, up to the image. */
const readOptions = (args: ReadonlyArray<string>): Pick<ContainerCommand, "interactive" | "rm"> => {
  let interactive = false
  let rm = false
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ""
    if (!arg.startsWith("-") || arg === "--") break
    const [name = "", value] = arg.split("=", 2)
    const isOn = value === undefined || /^(1|t|true)$/i.test(value)
    if (name.startsWith("--")) {
      if (name === "--interactive") interactive = isOn
      if (name === "--rm") rm = isOn
      if (value === undefined && !flags.has(name)) index++
      continue
    }
    // Several in one, of which the last may have a value: `-it`, `-eNAME=value`, `-v /a:/b`.
    const letters = name.slice(1)
    const end = [...letters].findIndex((letter) => !shortFlags.includes(letter))
    if (letters.slice(0, end < 0 ? undefined : end).includes("i")) interactive = end >= 0 || isOn
    if (end >= 0 && end === letters.length - 1 && value === undefined) index++
  }
  return { interactive, rm }
}

/** The programs; those that are only `compose`, and the one that knows their containers. */
const engines = new Set(["docker", "podman", "nerdctl"])
const composers = new Map([["docker-compose", "docker"], ["podman-compose", "podman"]])

const programOf = (command: string, platform: NodeJS.Platform): string => {
  const path = platform === "win32" ? command.replaceAll("\\", "/") : command
  const file = path.slice(path.lastIndexOf("/") + 1)
  return platform === "win32" ? file.toLowerCase().replace(/\.(exe|cmd|bat)$/, "") : file
}

export const isEngine = (command: string, platform: NodeJS.Platform = process.platform): boolean =>
  engines.has(programOf(command, platform))

/** What a command runs in a container; undefined if it does nothing like that. */
export const parse = (
  command: string,
  args: ReadonlyArray<string>,
  platform: NodeJS.Platform = process.platform
): ContainerCommand | undefined => {
  const program = programOf(command, platform)
  const of = (engine: ContainerCommand["engine"], run: number, isCompose: boolean): ContainerCommand | undefined => {
    if (args[run] !== "run") return undefined
    const after = args.slice(run + 1)
    const options = readOptions(after)
    // `compose run` connects stdin unless it is told not to.
    return { engine, before: args.slice(0, run + 1), after, ...options, ...(isCompose ? { interactive: true } : {}) }
  }
  const composer = composers.get(program)
  if (composer !== undefined) {
    const run = subcommand(args, 0, composeValued)
    return run === undefined ? undefined : of([composer], run, true)
  }
  const first = engines.has(program) ? subcommand(args, 0, valued) : undefined
  if (first === undefined) return undefined
  const engine = [command, ...args.slice(0, first)] as const
  if (args[first] === "container") return of(engine, first + 1, false)
  const run = args[first] === "compose" ? subcommand(args, first + 1, composeValued) : undefined
  return run === undefined ? of(engine, first, false) : of(engine, run, true)
}

/** The arguments with the label; nothing else is different. */
export const labelled = ({ after, before }: ContainerCommand, run: string): ReadonlyArray<string> => [
  ...before,
  "--label",
  `${label}=${run}`,
  ...after
]
