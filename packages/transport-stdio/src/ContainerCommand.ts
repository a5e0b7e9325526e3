/**
 * A container (S11) is a child of the engine, not of the command, and may outlive it. It is found by a label, also before its first output.
 * Not by `--name`, which may be somebody else's; not by `--cidfile`, which has the id only after the container was made, and which two
 * commands cannot share.
 */

export interface ContainerCommand {
  readonly engine: readonly [program: string, ...options: ReadonlyArray<string>]
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  readonly interactive: boolean
  /** Volumes without a name are removed with the container. */
  readonly rm: boolean
}

/** Different for each container. */
export const label = "mcp-lifeline.run"

export const notInteractive =
  "the command runs a container without -i (--interactive), so the server in it cannot read any message: add -i after run"

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Options before `run` that take a value, of all programs. */
const valued = words(`
  --config --context -c --host -H --log-level -l --tlscacert --tlscert --tlskey
  --cgroup-manager --conmon --connection --events-backend --hooks-dir --identity --imagestore --module --network-cmd-path
  --network-config-dir --out --root --runroot --runtime --runtime-flag --ssh --storage-driver --storage-opt --tmpdir --url --volumepath
  --address -a --cni-netconfpath --cni-path --data-root --host-gateway-ip --hosts-dir --namespace -n --snapshotter --bridge-ip
  --userns-remap
`)

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

const subcommand = (args: ReadonlyArray<string>, from: number, values: ReadonlySet<string>): number | undefined => {
  for (let index = from; index < args.length; index++) {
    const arg = args[index] ?? ""
    if (!arg.startsWith("-")) return index
    if (values.has(arg)) index++
  }
  return undefined
}

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

const engines = new Set(["docker", "podman", "nerdctl"])
const composers = new Map([["docker-compose", "docker"], ["podman-compose", "podman"]])

const programOf = (command: string, platform: NodeJS.Platform): string => {
  const path = platform === "win32" ? command.replaceAll("\\", "/") : command
  const file = path.slice(path.lastIndexOf("/") + 1)
  return platform === "win32" ? file.toLowerCase().replace(/\.(exe|cmd|bat)$/, "") : file
}

export const isEngine = (command: string, platform: NodeJS.Platform = process.platform): boolean =>
  engines.has(programOf(command, platform))

/** Undefined if the command runs no container. */
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

export const labelled = ({ after, before }: ContainerCommand, run: string): ReadonlyArray<string> => [
  ...before,
  "--label",
  `${label}=${run}`,
  ...after
]
