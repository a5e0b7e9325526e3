import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as Built from "../../../testing/test/support/Built.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import * as Image from "../support/Image.js"
import * as Manifests from "../support/Manifests.js"
import * as Program from "../support/Program.js"
import { listing, scripted } from "../support/Scripted.js"
import { afterAll, beforeAll, describe, expect, test } from "../support/vitest.js"

const user = 10_001
const token = "a-token-of-a-secret"

const ofProbe = { "User-Agent": "kube-probe/1.34", "Accept": "*/*", "Connection": "close" }

const probe = (port: number, path: string) =>
  Effect.promise(async () => {
    const headers = { "Host": "10.244.1.7:7332", ...ofProbe }
    return (await Raw.send(`http://127.0.0.1:${port}${path}`, "GET", headers)).status
  })

const untidy = scripted(
  `const { spawn } = await import("node:child_process")
  const left = spawn("/bin/sh", ["-c", "(exec /usr/bin/sleep 0.2) & exit"], { stdio: "ignore" })
  send(said(String(left.pid)))`,
  "",
  { capabilities: { tools: {} }, before: listing("leave") }
).at(-1)!

/** Processes of a container as the machine sees them, with their states. */
const processesOf = (pid: number): ReadonlyArray<{ readonly pid: number; readonly state: string }> => {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" }).trim().split("\n")
  const all = lines.map((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), state }
  })
  const found = new Set([pid])
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const one of all) if (found.has(one.parent)) found.add(one.pid)
  }
  return all.filter((one) => found.has(one.pid))
}

const makeContainer = (
  image: Effect.Effect.Success<typeof Image.rootFileSystem>,
  name: string,
  port: number,
  { address = "", secrets = {} }: {
    readonly address?: string
    readonly secrets?: Readonly<Record<string, string>>
  } = {}
) => {
  const isWorkload = ({ kind }: { readonly kind: string }) => kind === "StatefulSet" || kind === "Deployment"
  const workload = Manifests.parse(Manifests.text(name)).find(isWorkload)
  const { args, volumeMounts } = workload!["spec"].template.spec.containers[0]
  const folder = mkdtempSync(join(tmpdir(), "lifeline-container-"))
  const at = (name: string) => join(folder, name)
  for (const name of ["config", "secrets", "state", "servers"]) mkdirSync(at(name))
  // As `fsGroup` leaves a volume.
  chownSync(at("state"), 0, user)
  chmodSync(at("state"), 0o2775)
  for (const [name, secret] of Object.entries({ token, ...secrets })) {
    writeFileSync(at(`secrets/${name}`), `${secret}\n`)
    chownSync(at(`secrets/${name}`), 0, user)
    chmodSync(at(`secrets/${name}`), 0o440)
  }
  writeFileSync(at("servers/untidy.mjs"), untidy)
  const node = "/usr/local/bin/node"
  const every = { command: node, args: ["/everything/everything/index.js", "stdio"] }
  const mcpServers = { every, untidy: { command: node, args: ["/servers/untidy.mjs"] } }
  const lifeline = { timeouts: { connect: "2 minutes" } }
  writeFileSync(at("config/mcp.json"), JSON.stringify({ mcpServers, lifeline }))
  type Mount = { readonly mountPath: string; readonly name: string; readonly readOnly?: boolean }
  const mounted = (volumeMounts as ReadonlyArray<Mount>).filter(({ name }) => name !== "tmp")
    .map(({ mountPath, name, readOnly }) => [mountPath, [at(name), readOnly !== true] as const] as const)
  const ours = {
    "/servers": [at("servers"), false],
    "/everything": [dirname(dirname(Built.everything)), false]
  } as const
  const command = Image.command({
    root: image.root,
    stage: image.last,
    args: [...args.map((one: string) => one.replace("$(POD_IP):7333", address)), `--port=${port}`],
    mounts: { ...Object.fromEntries(mounted), ...ours }
  })
  return { folder, state: at("state"), command }
}

const contained = (...args: Parameters<typeof makeContainer>) =>
  Effect.acquireRelease(
    Effect.sync(() => makeContainer(...args)),
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const call = async (url: string, headers: Readonly<Record<string, string>>, name: string, args: object) => {
  const request = { id: 1, method: "tools/call", params: { name, arguments: args } }
  const answered = await Raw.send(url, "POST", headers, request)
  const text = await answered.body
  const answers = text.startsWith("{") ? [JSON.parse(text)] : Raw.events(text).map(({ message }) => message)
  return answers.find(({ id, method }) => id === 1 && method === undefined)?.result?.content[0].text
}

const start = Effect.fnUntraced(function*(command: ReturnType<typeof Image.command>) {
  const container = yield* Program.start([], {}, command)
  yield* container.prints(/Serving/)
  const first = processesOf(container.pid).find(({ pid }) => pid !== container.pid)
  return { container, first: first!.pid }
})

const stop = Effect.fnUntraced(function*({ container, first }: Effect.Effect.Success<ReturnType<typeof start>>) {
  const all = processesOf(first)
  process.kill(first, "SIGTERM")
  // After 30 seconds it would end itself, with 1.
  expect(yield* container.ended).toEqual({ code: 0, signal: null })
  for (const { pid } of all) yield* Program.gone(pid)
})

describe.skipIf(Image.missing !== undefined)(`the image, without an engine${Image.title}`, () => {
  let scope: Scope.CloseableScope
  let image: Effect.Effect.Success<typeof Image.rootFileSystem>

  beforeAll(async () => {
    scope = Effect.runSync(Scope.make())
    image = await Effect.runPromise(Scope.extend(Image.rootFileSystem, scope))
  }, 900_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  test.scopedLive("[G26:real] runs as its user with nothing but its state to write to, answers probes and clients, and ends with all that it has started", function*() {
    const { port } = yield* ReservedPort.make
    const { command, folder, state } = yield* contained(image, "gateway.yaml", port)
    const url = `http://127.0.0.1:${port}/mcp`
    const authorization = { Authorization: `Bearer ${token}` }
    const begun = start(command)
    const running = yield* begun
    const { container, first } = running
    yield* Program.eventually(() => readFileSync(`/proc/${first}/comm`, "utf8") === "tini\n" ? true : undefined)
    const status = readFileSync(`/proc/${first}/status`, "utf8")
    expect(status).toMatch(new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}\\t${user}$`, "m"))
    expect(status).toMatch(/^CapEff:\t0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    const [, options] = /^\S+ \S+ \S+ \S+ \/ (\S+)/m.exec(readFileSync(`/proc/${first}/mountinfo`, "utf8"))!
    expect(options?.split(",")).toContain("ro")

    expect(yield* probe(port, "/health")).toBe(200)
    while ((yield* probe(port, "/ready")) !== 200) yield* Effect.sleep("50 millis")
    const health = Image.listOf(Image.only(image.last, "HEALTHCHECK")).map((one) => one.replace("7332", String(port)))
    expect(yield* Image.exitOf({ root: image.root, stage: image.last }, health)).toBe(0)

    expect((yield* Effect.promise(() => Raw.send(url, "POST", {}, Raw.initialize()))).status).toBe(401)
    const session = yield* Effect.promise(() => Raw.begin(url, undefined, authorization))
    expect(yield* Effect.promise(() => call(url, session, "every__echo", { message: "hello" }))).toContain("hello")

    // Orphans of servers belong to process 1, which waits for them: none stays as a zombie.
    for (let n = 0; n < 5; n++) yield* Effect.promise(() => call(url, session, "untidy__leave", {}))
    yield* Program.eventually(() => {
      const left = processesOf(first)
      return left.length === 4 && left.every(({ state }) => !state.startsWith("Z")) ? true : undefined
    })
    yield* stop(running)
    expect(container.stderr()).toBe("")

    // What it keeps is its own, and says of no gateway that it runs.
    const kept = statSync(join(state, "lifeline"))
    expect([kept.uid, kept.mode & 0o777]).toEqual([user, 0o700])
    expect(readdirSync(join(state, "lifeline", "gateways"))).toEqual([])
    expect(yield* Image.exitOf({ root: image.root, stage: image.last }, health)).toBe(1)

    const again = yield* begun
    expect(yield* Effect.promise(() => call(url, session, "every__echo", { message: "again" }))).toContain("again")
    yield* stop(again)
    expect(readdirSync(folder).toSorted()).toEqual(["config", "secrets", "servers", "state"])
  })

  test.scopedLive.skipIf(!Postgres.isInstalled)(
    `[G26:real] is a replica with the secrets of its manifest as files${Postgres.title}`,
    function*() {
      const [{ port }, { port: other }] = [yield* ReservedPort.make, yield* ReservedPort.make]
      const database = yield* Postgres.make
      const secrets = { "session-key": "k".repeat(44), "cluster-key": "c".repeat(44), database: database.url }
      const address = `127.0.0.1:${other}`
      const { command } = yield* contained(image, "cluster.yaml", port, { address, secrets })
      const running = yield* start(command)
      while ((yield* probe(port, "/ready")) !== 200) yield* Effect.sleep("50 millis")
      expect(yield* probe(port, "/health")).toBe(200)
      const url = `http://127.0.0.1:${port}/mcp`
      const session = yield* Effect.promise(() => Raw.begin(url, undefined, { Authorization: `Bearer ${token}` }))
      expect(yield* Effect.promise(() => call(url, session, "every__echo", { message: "hello" }))).toContain("hello")
      yield* stop(running)
    }
  )
})
