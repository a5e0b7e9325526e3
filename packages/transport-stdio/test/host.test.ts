import { assert, describe, it } from "@effect/vitest"
import { gone, host, stubborn } from "./hosts.js"

describe.skipIf(process.platform !== "linux")("the end of our own process", () => {
  it("[S8] on process.exit and on an uncaught error the groups get SIGKILL", async () => {
    for (const [how, code] of [["exit", 5], ["throw", 1]] as const) {
      const { exited, pid } = await host(how, stubborn)
      assert.deepStrictEqual(await exited, [code, null])
      await gone(pid)
    }
  })

  it("[S8] when it is killed, the server sees its stdin close", async () => {
    const { exited, pid, process } = await host("run")
    process.kill("SIGKILL")
    await exited
    await gone(pid)
  })
})
