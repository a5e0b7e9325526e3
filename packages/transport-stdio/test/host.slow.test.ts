import { assert, describe, it } from "@effect/vitest"
import { Containers } from "../../testing/test/support/Containers.js"
import { gone, host, stubborn } from "./hosts.js"
import { livingIn } from "./support.js"

describe.skipIf(process.platform !== "linux")("the end of our own process", () => {
  it("[S11:real] on process.exit and on a signal, containers are removed, too", async () => {
    for (const how of ["exit", "handle"]) {
      const containers = new Containers()
      const { exited, process } = await host(how, stubborn, containers)
      if (how === "handle") process.kill("SIGTERM")
      await exited
      assert.deepStrictEqual(containers.ids, [])
      assert.include(containers.log.join("\n"), "start ")
      containers.remove()
    }
  })

  it("[S6] where no file descriptor is left, the attempt fails with the reason, and a later one succeeds", async () => {
    const { exited, lines, pid, process } = await host("exhausted")
    const error = JSON.parse(lines.find((line) => line.startsWith("error "))?.slice(6) ?? "{}") as object
    assert.deepInclude(error, { reason: "spawn", permanent: false })
    assert.match((error as { readonly message: string }).message, /open files \(E[MN]FILE\)/)
    process.kill("SIGKILL")
    await exited
    await gone(pid)
  })

  it("[S8] with handleSignals the ladder runs, and the signal then ends the process", async () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const { exited, lines, pid, process } = await host("handle", stubborn)
      assert.include(lines, `pid ${pid}`)
      process.kill(signal)
      assert.deepStrictEqual(await exited, [null, signal])
      // The ladder is over when the signal is raised again: nothing has to be waited for.
      assert.deepStrictEqual(livingIn(pid), [])
    }
  })
})
