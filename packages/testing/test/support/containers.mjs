// @ts-nocheck: a program of its own, of which nothing is imported; its records and messages are JSON.
/** As with docker, the command is only a client: a process apart owns the container, and lives on when it was killed. */
import { spawn } from "node:child_process"
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const self = fileURLToPath(import.meta.url)
const fail = (text, code = 1) => {
  process.stderr.write(`${text}\n`)
  process.exit(code)
}
const args = process.argv.slice(2)
let dir = (process.env.DOCKER_HOST ?? "").replace("unix://", "")
if (dir === "" && !args.includes("--host") && !args.includes("-H")) fail("Cannot connect to the daemon", 1)
const fileOf = (id) => join(dir, `${id}.json`)
const save = (record) => {
  writeFileSync(`${fileOf(record.id)}.new`, JSON.stringify(record))
  renameSync(`${fileOf(record.id)}.new`, fileOf(record.id))
}
const load = (id) => {
  try {
    return JSON.parse(readFileSync(fileOf(id), "utf8"))
  } catch {
    return undefined
  }
}
const all = () => readdirSync(dir).flatMap((name) => name.endsWith(".json") ? load(name.slice(0, -5)) ?? [] : [])
const log = (what) => appendFileSync(join(dir, "log"), `${what}\n`)
const kill = (pid, signal) => {
  try {
    process.kill(pid, signal)
  } catch { /* it has ended */ }
}
const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))
const lines = (socket, on) => {
  let rest = ""
  socket.on("error", () => {}).on("data", (chunk) => {
    const parts = (rest + chunk).split("\n")
    rest = parts.pop()
    for (const part of parts) on(JSON.parse(part))
  })
}
const say = (socket, message) => socket.writable && socket.write(`${JSON.stringify(message)}\n`)

const own = async (record) => {
  if (record.image === "slow") await sleep(300)
  record.owner = process.pid
  save(record)
  let client
  const server = createServer((socket) => {
    client = socket
    const { id, rm } = record
    const child = spawn(record.command[0], record.command.slice(1), { stdio: "pipe" })
    log(`start ${id}`)
    save({ ...record, pid: child.pid })
    child.stdin.on("error", () => {})
    for (const name of ["stdout", "stderr"]) child[name].on("data", (data) => say(client, { [name]: `${data}` }))
    lines(socket, ({ signal, stdin }) => {
      if (signal !== undefined) kill(child.pid, signal)
      else if (stdin === undefined) child.stdin.end()
      else if (record.interactive) child.stdin.write(stdin)
    })
    socket.on("close", () => child.stdin.end())
    child.on("close", (code) => {
      log(`end ${id}`)
      if (rm) rmSync(fileOf(id), { force: true })
      else if (existsSync(fileOf(id))) save({ ...record, exited: true })
      say(client, { exit: code ?? 137 })
      client.end()
      server.close()
    })
  })
  server.listen(join(dir, `${record.id}.sock`), () => process.send({}, () => process.disconnect()))
}

const run = (given, engine) => {
  const record = { id: `c${Date.now()}x${process.pid}`, labels: [], interactive: engine === "compose", rm: false }
  while (given[0]?.startsWith("-")) {
    const [name, inline] = given.shift().split("=", 2)
    const value = () => inline ?? given.shift()
    if (name === "--label" || name === "-l") record.labels.push(inline === undefined ? given.shift() : value())
    else if (name === "--name") record.name = value()
    else if (name === "--cidfile") record.cidfile = value()
    else if (name === "-i" || name === "--interactive") record.interactive = true
    else if (name === "--rm") record.rm = true
    else if (name === "-e" || name === "-v") value()
    else if (name !== "--init") fail(`unknown flag: ${name}`, 125)
  }
  record.image = given.shift()
  record.command = given
  const taken = record.name === undefined ? undefined : all().find(({ name }) => name === record.name)
  if (taken !== undefined) {
    fail(
      `Error response from daemon: Conflict. The container name "/${record.name}" is already in use by ${taken.id}`,
      125
    )
  }
  if (record.cidfile !== undefined) {
    if (existsSync(record.cidfile)) fail(`container ID file found: ${record.cidfile}`, 125)
    writeFileSync(record.cidfile, record.id)
  }
  const owner = spawn(process.execPath, [self, "own", JSON.stringify(record)], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    env: { ...process.env, DOCKER_HOST: dir }
  })
  owner.on("message", () => {
    owner.unref()
    const socket = connect(join(dir, `${record.id}.sock`))
    process.stdin.on("data", (data) => say(socket, { stdin: `${data}` })).on("end", () => say(socket, {}))
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => say(socket, { signal }))
    lines(socket, ({ exit, stderr, stdout }) => {
      if (stdout !== undefined) process.stdout.write(stdout)
      if (stderr !== undefined) process.stderr.write(stderr)
      if (exit !== undefined) process.exit(exit)
    })
    socket.on("close", () => process.exit(1))
  })
}

const remove = async (ids, force) => {
  for (const id of ids) {
    const record = load(id)
    if (record === undefined) fail(`Error response from daemon: No such container: ${id}`)
    if (record.pid !== undefined && !record.exited) {
      if (!force) fail(`cannot remove container ${id}: it is running`)
      kill(record.pid, "SIGKILL")
      const ended = () => readFileSync(join(dir, "log"), "utf8").includes(`end ${id}\n`)
      while (!ended()) await sleep(5)
    }
    rmSync(fileOf(id), { force: true })
  }
}

const stop = async (seconds, ids) => {
  for (const id of ids) {
    const { pid } = load(id) ?? {}
    kill(pid, "SIGTERM")
    for (
      let waited = 0;
      waited < seconds * 1_000 && load(id)?.exited !== true && existsSync(fileOf(id));
      waited += 10
    ) await sleep(10)
    if (load(id)?.exited !== true) kill(pid, "SIGKILL")
  }
}

while (args[0]?.startsWith("-")) {
  const option = args.shift()
  if (option === "--host" || option === "-H") dir = args.shift()
  else if (option === "--context") args.shift()
  else fail(`unknown flag: ${option}`, 125)
}
if (args[0] !== "own") log(args.map((arg) => arg.startsWith("mcp-lifeline.run=") ? "LABEL" : arg).join(" "))
if (existsSync(join(dir, "down")) && args[0] !== "own") {
  fail("Cannot connect to the daemon. Is it running?", args[0] === "ps" ? 1 : 125)
}
if (args[0] === "container") args.shift()
const [verb, ...rest] = args
if (verb === "own") await own(JSON.parse(rest[0]))
else if (verb === "run") run(rest, "")
else if (verb === "compose" && rest[0] === "run") run(rest.slice(1), "compose")
else if (verb === "ps") {
  if (existsSync(join(dir, "hangs"))) setInterval(() => {}, 1_000)
  else {
    const label = rest[rest.indexOf("--filter") + 1].replace("label=", "")
    for (const { id, labels } of all()) if (labels.includes(label)) process.stdout.write(`${id}\n`)
  }
} else if (verb === "rm") {
  if (existsSync(join(dir, "keeps"))) fail("cannot remove container: device or resource busy")
  await remove(rest.filter((arg) => !arg.startsWith("-")), rest.includes("-f"))
} else if (verb === "stop") await stop(Number(rest[1]), rest.slice(2))
else fail(`unknown command: ${verb}`)
