import { StdioFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gateway, published } from "../../../testing/test/support/Built.js"
import { Containers } from "../../../testing/test/support/Containers.js"
import { folder } from "../../../testing/test/support/folder.js"
import { Host } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { assert, describe, test } from "../support/vitest.js"

const connects = fileURLToPath(new URL("../../../promise/test/fixtures/connects.mjs", import.meta.url))

type Server = { readonly command: string; readonly args: ReadonlyArray<string> }
type Place = { readonly path: string; readonly env: Record<string, string> }

const stdio = { stdinGrace: 100, termGrace: 100 }

const doors = {
  facade: Effect.fnUntraced(function*({ env }: Place, server: Server) {
    const program = yield* Program.start([JSON.stringify({ ...server, stdio })], env, [
      process.execPath,
      ...published,
      connects
    ])
    yield* program.prints(/Connected/)
    return program.pid
  }),
  wrap: Effect.fnUntraced(function*({ env }: Place, { args, command }: Server) {
    const host = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Host.start(process.execPath, [gateway, "wrap", "--", command, ...args], { ...process.env, ...env })
      ),
      (host) => Effect.promise(() => (host.child.kill("SIGKILL"), host.ended))
    )
    yield* Effect.promise(() => host.introduction())
    return host.pid
  }),
  serve: Effect.fnUntraced(function*({ env, path }: Place, server: Server) {
    const config = join(path, "mcp.json")
    writeFileSync(config, JSON.stringify({ mcpServers: { one: { ...server, stdio } } }))
    const program = yield* Program.start(["serve", "--port", "0", "--config", config], env)
    yield* program.prints(/Serving /)
    return program.pid
  })
}

const place = Effect.gen(function*() {
  const path = yield* folder
  const containers = yield* Effect.acquireRelease(
    Effect.sync(() => new Containers()),
    (one) => Effect.sync(() => one.remove())
  )
  const state = join(path, "state")
  const records = () => {
    const folder = join(state, "processes")
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : []
  }
  return { path, containers, records, env: { MCP_LIFELINE_STATE: state, DOCKER_HOST: containers.folder } }
})

const stubborn = { ignoreStdinEnd: true, ignoreTerm: true }

describe.skipIf(process.platform === "win32")("a Lifeline that was killed", () => {
  for (const [killed, next] of [["facade", "wrap"], ["wrap", "serve"], ["serve", "facade"]] as const) {
    test.scopedLive(`[S12:real] what ${killed} has left, the next ${next} ends`, function*() {
      const { containers, records, ...where } = yield* place
      const journal = join(where.path, "journal")
      const { args, command } = StdioFaultServer.command({ ...stubborn, journal })
      const started = () => StdioFaultServer.journal(journal).find(({ event }) => event === "initialize")?.pid
      const first = yield* doors[killed](where, { command, args })
      const server = yield* Program.eventually(started)
      yield* Effect.addFinalizer(() => Effect.sync(() => Program.kill(server)))
      yield* Program.eventually(() => records().length === 1 || undefined)
      process.kill(first, "SIGKILL")
      // What it does not end by itself: it lives, and the record says so.
      yield* Effect.sleep("200 millis")
      assert.isTrue(Program.alive(server))
      yield* doors[next](where, StdioFaultServer.command())
      yield* Program.eventually(() => Program.alive(server) ? undefined : true)
      yield* Program.eventually(() => records().length === 1 || undefined)
      assert.deepStrictEqual(containers.ids, [])
    })
  }

  test.scopedLive("[S11:real] [S12:real] its containers are removed, too", function*() {
    const { containers, records, ...where } = yield* place
    const { args, command } = StdioFaultServer.command(stubborn)
    const docker = containers.program("docker")
    const first = yield* doors.wrap(where, { command: docker, args: ["run", "-i", "--rm", "image", command, ...args] })
    yield* Program.eventually(() => containers.pids.length === 1 && records().length === 1 || undefined)
    const [server = 0] = containers.pids
    process.kill(first, "SIGKILL")
    yield* Effect.sleep("200 millis")
    assert.lengthOf(containers.ids, 1)
    // It is told nothing of the engine: the record has what is needed.
    const { DOCKER_HOST: _, ...env } = where.env
    yield* doors.facade({ ...where, env }, StdioFaultServer.command())
    yield* Program.eventually(() => containers.ids.length === 0 || undefined)
    assert.isFalse(Program.alive(server))
  })
})
