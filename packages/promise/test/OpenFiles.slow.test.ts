import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { everything, published } from "../../testing/test/support/Built.js"
import { HttpServer } from "./fixtures/Everything.js"
import { said } from "./fixtures/Living.js"

const program = fileURLToPath(new URL("fixtures/exhausted.mjs", import.meta.url))

describe.skipIf(process.platform === "win32")("a process that has as many files and sockets open as it may", () => {
  it(
    "[T3:real] cannot connect to another server, says why, and loses nothing that it has",
    { timeout: 300_000 },
    async () => {
      await using server = await HttpServer.start()
      const limited = ["-c", 'ulimit -n 256; exec "$0" "$@"', process.execPath, ...published, program]
      const { stdout } = await promisify(execFile)("sh", [...limited, server.url, everything])
      const { echo, later, message, reason } = JSON.parse(stdout) as Record<string, unknown>
      assert.strictEqual(reason, "unreachable")
      assert.include(message, "raise the limit of open files (ulimit -n) (EMFILE)")
      assert.deepStrictEqual(echo, said("still here"))
      assert.strictEqual(later, "Connected")
    }
  )
})
