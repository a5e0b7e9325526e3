/** The image of the Dockerfile without Docker: its stages run in a copy of what a build is sent, and in a root of the programs that the base image needs. */
import { type Copy, DockerfileParser, type From, type Instruction } from "dockerfile-ast"
import { Effect } from "effect"
import { execFile, execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import picomatch from "picomatch"
import { folder } from "../../../testing/test/support/folder.js"

const run = promisify(execFile)
const repository = fileURLToPath(new URL("../../../../", import.meta.url))

export const textOf = (file: string): string => readFileSync(join(repository, file), "utf8")

export interface Stage {
  readonly name: string | null
  readonly base: string
  readonly instructions: ReadonlyArray<Instruction>
}

export const argumentsOf = (instruction: Instruction): string =>
  (instruction.getArgumentsContent() ?? "").replaceAll(/\\\n\s*/g, " ").replaceAll(/ +/g, " ")

export const stages = (): ReadonlyArray<Stage> => {
  const found: Array<{ name: string | null; base: string; instructions: Array<Instruction> }> = []
  for (const instruction of DockerfileParser.parse(textOf("Dockerfile")).getInstructions()) {
    if (instruction.getKeyword() === "FROM") {
      const from = instruction as From
      found.push({ name: from.getBuildStage(), base: from.getImage() ?? "", instructions: [] })
    } else found.at(-1)?.instructions.push(instruction)
  }
  return found
}

const all = (stage: Stage, keyword: string): ReadonlyArray<Instruction> =>
  stage.instructions.filter((one) => one.getKeyword() === keyword)

export const only = (stage: Stage, keyword: string): Instruction => {
  const [one, ...others] = all(stage, keyword)
  if (one === undefined || others.length > 0) throw new Error(`${keyword} is there ${others.length} times too often`)
  return one
}

export const listOf = (instruction: Instruction): ReadonlyArray<string> =>
  JSON.parse(argumentsOf(instruction).replace(/^[^[]*/, "")) as ReadonlyArray<string>

export const variablesOf = (stage: Stage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    all(stage, "ENV").flatMap((one) => argumentsOf(one).split(" ")).map((one) => one.split("=") as [string, string])
  )

export const isSent = (file: string): boolean => {
  const patterns = textOf(".dockerignore").split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  const isIgnored = picomatch(patterns, { dot: true })
  const parts = file.split("/")
  return !parts.some((_, index) => isIgnored(parts.slice(0, index + 1).join("/")))
}

export const files = (): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: repository,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  }).split("\0").filter((file) => file !== "" && existsSync(join(repository, file)))

/** Without what a package manager around the tests tells those in it. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm|pnpm)_/i.test(name)))

/** Runs the build stage. Gives the folder that is `/` for what it writes outside of its working directory. */
const built = Effect.fnUntraced(function*({ instructions }: Stage) {
  const root = yield* folder
  const source = join(root, "src")
  for (const file of files().filter(isSent)) {
    mkdirSync(join(source, dirname(file)), { recursive: true })
    cpSync(join(repository, file), join(source, file))
  }
  yield* Effect.promise(async () => {
    for (const one of instructions.filter((one) => one.getKeyword() === "RUN")) {
      const command = argumentsOf(one).replaceAll(/(?<= )\/(?=app|packed)/g, `${root}/`)
      await run("sh", ["-c", command], {
        cwd: source,
        env: { ...environment(), CI: "true" },
        maxBuffer: 64 * 1024 * 1024
      })
    }
  })
  return root
})

const programs = {
  "/usr/local/bin/node": process.execPath,
  "/bin/sh": "/bin/sh",
  "/usr/bin/env": "/usr/bin/env",
  "/usr/bin/install": "/usr/bin/install",
  "/usr/bin/ln": "/usr/bin/ln",
  "/usr/bin/sleep": "/usr/bin/sleep",
  // The Dockerfile installs it.
  "/usr/bin/tini": "/usr/bin/tini"
}

export const missing = process.platform !== "linux"
  ? "this is not Linux"
  : process.getuid?.() !== 0
  ? "only root may make a root file system"
  : ["/usr/bin/unshare", "/usr/bin/setpriv", ...Object.values(programs)].find((one) => !existsSync(one))
    ?.concat(" is missing")
    ?? (isAllowed() ? undefined : "namespaces are not permitted here")

export const title = missing === undefined ? "" : ` (skipped: ${missing})`

function isAllowed(): boolean {
  try {
    execFileSync("unshare", ["--mount", "--pid", "--fork", "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Copies a program with the libraries that it needs. */
const install = (root: string, to: string, program: string): void => {
  const copy = (file: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    cpSync(realpathSync(file), join(root, to))
    chmodSync(join(root, to), 0o755)
  }
  copy(program, to)
  const needed = execFileSync("ldd", [program], { encoding: "utf8" })
  for (const [, library = ""] of needed.matchAll(/(\/\S+) \(0x/g)) copy(library, library)
}

export const rootFileSystem = Effect.gen(function*() {
  const [build, last] = stages()
  if (build === undefined || last === undefined) throw new Error("The Dockerfile has two stages")
  const output = yield* built(build)
  const root = yield* folder
  chmodSync(root, 0o755)
  for (const [to, program] of Object.entries(programs)) install(root, to, program)
  for (const one of ["config", "dev", "everything", "proc", "secrets", "servers", "tmp"]) mkdirSync(join(root, one))
  for (const one of last.instructions) {
    const said = argumentsOf(one)
    if (one.getKeyword() === "COPY") {
      if ((one as Copy).getFromFlag()?.getValue() !== build.name) throw new Error(`Copies from elsewhere: ${said}`)
      const [from = "", to = ""] = said.split(" ").slice(-2)
      cpSync(join(output, from), join(root, to), { recursive: true })
    } else if (one.getKeyword() === "RUN" && !said.startsWith("apt-get ")) {
      yield* Effect.promise(() => run("chroot", [root, "/bin/sh", "-c", said], { env: { PATH: path } }))
    }
  }
  return { root, last }
})

/** That of the base image. */
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

export interface Container {
  readonly root: string
  readonly stage: Stage
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Folders of this machine, by the places in the container at which they are; `true` may be written. */
  readonly mounts: Readonly<Record<string, readonly [folder: string, isWritable: boolean]>>
}

const script = `
set -e
root=$1; shift
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
exec "$@"
`

/** The command that runs a program in a container as an engine does: as its own process 1, and as its user, without any capability. */
const contained = ({ mounts, root }: Pick<Container, "mounts" | "root">, user: string, inside: ReadonlyArray<string>) =>
  [
    ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", root],
    ...Object.entries(mounts).flatMap(([to, [from, isWritable]]) => [from, to, isWritable ? "rw" : "ro"]),
    ...["--", "setpriv", "--no-new-privs", "chroot", `--userspec=${user}`, "--groups=", root, ...inside]
  ] as const

const environmentOf = ({ env = {}, stage }: Pick<Container, "env" | "stage">) => [
  "/usr/bin/env",
  "-i",
  `--chdir=${argumentsOf(only(stage, "WORKDIR"))}`,
  ...Object.entries({ PATH: path, ...variablesOf(stage), ...env }).map(([name, value]) => `${name}=${value}`)
]

export const command = (container: Container): readonly [string, ...ReadonlyArray<string>] =>
  contained(container, argumentsOf(only(container.stage, "USER")), [
    ...environmentOf(container),
    ...listOf(only(container.stage, "ENTRYPOINT")),
    ...container.args
  ])

export const exitOf = (container: Pick<Container, "root" | "stage">, program: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const [command = "", ...args] = contained(
      { ...container, mounts: {} },
      argumentsOf(only(container.stage, "USER")),
      [...environmentOf(container), ...program]
    )
    return run(command, args).then(() => 0, (error: { readonly code: number }) => error.code)
  })
