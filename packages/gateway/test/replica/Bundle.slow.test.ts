import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import * as Https from "node:https"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const preload = new URL("../fixtures/loadedModules.mjs", import.meta.url)

/** How a client of PostgreSQL signs in: nothing else has this. */
const mark = /SCRAM-SHA-256/

const serve = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const path = yield* folder
  const [config, list] = [join(path, "mcp.json"), join(path, "loaded")]
  writeFileSync(config, JSON.stringify({ mcpServers: { files: { command: "cat", lifecycle: { lazy: true } } } }))
  const program = yield* Program.start(["serve", "--port", "0", "--config", config, ...args], {
    LOADED_MODULES: list,
    MCP_LIFELINE_SESSION_KEY: "k".repeat(32),
    NODE_OPTIONS: `--import=${preload}`
  })
  const loaded = () => [...new Set(readFileSync(list, "utf8").trimEnd().split("\n"))]
  return { program, loaded, ofCluster: () => loaded().filter((file) => mark.test(readFileSync(file, "utf8"))) }
})

describe("the published gateway", () => {
  test.scopedLive("[D1] loads nothing of a cluster without --cluster", function*() {
    const { loaded, ofCluster, program } = yield* serve([])
    yield* program.prints(/^Serving /m)
    expect(loaded().length).toBeGreaterThan(20)
    expect(ofCluster()).toEqual([])
  })

  test.scopedLive("[D1] has what it needs to ask a database, and says which it cannot reach, without the password", function*() {
    const { ofCluster, program } = yield* serve(["--cluster", "postgres://lifeline:hush@127.0.0.1:1/lifeline"])
    expect(yield* program.ended).toEqual({ code: 1, signal: null })
    expect(program.stderr()).toMatch(/^mcp-lifeline: --cluster: the database could not .*ECONNREFUSED/)
    expect(program.stdout() + program.stderr()).not.toContain("hush")
    expect(ofCluster().length).toBeGreaterThan(0)
  })
})

describe.skipIf(!Postgres.isInstalled)(`the published gateway with a database${Postgres.title}`, () => {
  test.scopedLive("[D1] has a watchdog, which ends with it", function*() {
    const { url } = yield* Postgres.make
    const { program } = yield* serve(["--cluster", url])
    yield* program.prints(/^Serving /m)
    const watchdogs = Program.running(Program.family(program.pid), "watchdog.mjs")
    expect(watchdogs).toHaveLength(1)
    program.signal("SIGTERM")
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
    yield* Effect.forEach(watchdogs, Program.gone)
  })

  test.scopedLive("[D1] listens for the other replicas with the certificate that it was given, or says what is wrong with it", function*() {
    const { url } = yield* Postgres.make
    const { port } = yield* ReservedPort.make
    const pem = (name: string) =>
      fileURLToPath(new URL(`../../../transport-http/test/fixtures/tls/${name}.pem`, import.meta.url))
    const https = (certificate: string, key: string) =>
      serve([
        ...["--cluster", url, "--cluster-address", `https://127.0.0.1:${port}`],
        ...["--cluster-certificate", certificate, "--cluster-certificate-key", key]
      ])
    const refused = Effect.fnUntraced(function*(certificate: string, key: string) {
      const { program } = yield* https(certificate, key)
      expect(yield* program.ended).toEqual({ code: 1, signal: null })
      return program.stderr()
    })
    expect(yield* refused(pem("cert"), "/not/there.pem"))
      .toMatch(/^mcp-lifeline: --cluster-certificate-key \/not\/there.pem cannot be read: /)
    expect(yield* refused(pem("key"), pem("key")))
      .toMatch(/^mcp-lifeline: --cluster: the certificate and its key cannot be used: /)
    const { program } = yield* https(pem("cert"), pem("key"))
    yield* program.prints(/^Serving http:/m)
    const status = yield* Effect.async<number | undefined, Error>((resume) => {
      const ca = readFileSync(pem("cert"))
      Https.get(`https://127.0.0.1:${port}/`, { agent: false, ca }, (response) => {
        response.resume()
        resume(Effect.succeed(response.statusCode))
      }).on("error", (error) => resume(Effect.fail(error)))
    })
    expect(status).toBe(404)
  })
})
