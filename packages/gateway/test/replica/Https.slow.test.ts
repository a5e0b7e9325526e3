import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const pem = (name: string) =>
  fileURLToPath(new URL(`../../../transport-http/test/fixtures/tls/${name}.pem`, import.meta.url))

describe.skipIf(!Postgres.isInstalled)(`replicas that reach each other over HTTPS${Postgres.title}`, () => {
  test.scopedLive("[D1] share one process of a server, if they trust the authority that NODE_EXTRA_CA_CERTS names", function*() {
    const { url } = yield* Postgres.make
    const path = yield* folder
    const config = join(path, "mcp.json")
    const mcpServers = { who: Program.fixture("who") }
    const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }
    writeFileSync(config, JSON.stringify({ lifeline, mcpServers }))
    const replica = Effect.fnUntraced(function*(name: string) {
      const { port } = yield* ReservedPort.make
      const program = yield* Program.start([
        ...["serve", "--port", "0", "--config", config, "--cluster", url, "--cluster-lease", "1min"],
        ...["--cluster-address", `https://127.0.0.1:${port}`],
        ...["--cluster-certificate", pem("cert"), "--cluster-certificate-key", pem("key")]
      ], {
        MCP_LIFELINE_SESSION_KEY: "k".repeat(32),
        MCP_LIFELINE_STATE: join(path, name),
        NODE_EXTRA_CA_CERTS: pem("cert")
      })
      const [, served = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
      const client = yield* TestClient.connect(served)
      yield* Effect.promise(() => TestClient.toolNamesWith(client, ["who__who"]))
      const { content } = yield* Effect.promise(() => client.callTool({ name: "who__who", arguments: {} }))
      const [{ text = "" } = {}] = content as ReadonlyArray<{ readonly text?: string }>
      return { program, pid: (JSON.parse(text) as { readonly pid: number }).pid }
    })
    const [one, two] = [yield* replica("one"), yield* replica("two")]
    expect(two.pid).toBe(one.pid)
    expect(Program.family(one.program.pid)).toContain(one.pid)
    expect(Program.family(two.program.pid)).not.toContain(one.pid)
  })
})
