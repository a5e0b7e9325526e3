import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { connected, eventually, isAlive, reconnect, serverOf, temporary } from "./support.js"

const shown = process.platform === "linux" ? describe : describe.skip

shown("a server that is stopped while it starts", () => {
  test.scopedLive(
    "[V5:real V3] is ended, and the next one is started; by default that takes minutes",
    function*() {
      const folder = yield* temporary
      const [journal, startsAfter] = [join(folder, "journal"), join(folder, "ready")]
      const options = serverOf("2025")({ journal, startsAfter }, { stdinGrace: 0 })
      const backend = yield* Backend.make("stopped", { connector: StdioConnector.make(options), reconnect })
      const starts = () => StdioFaultServer.journal(journal).flatMap(({ event, pid }) => event === "start" ? [pid] : [])
      yield* eventually(() => starts().length > 0)
      const [first] = starts()
      process.kill(first!, "SIGSTOP")
      writeFileSync(startsAfter, "")
      const pid = yield* connected(backend)
      assert.notStrictEqual(pid, first)
      assert.isFalse(isAlive(first!))
      assert.match((yield* backend.status).lastError ?? "", /a process of it is stopped/)
    },
    60_000
  )
})
